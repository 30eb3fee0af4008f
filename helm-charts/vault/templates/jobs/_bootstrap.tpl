{{- define "vault.bootstrapTemplate" -}}
metadata:
  labels:
    {{- include "vault.podLabels" (list . "bootstrap") | nindent 4 }}
  annotations:
    checksum/settings: {{ include "vault.settings" . | sha256sum }}
    {{- with .Values.bootstrap.rerun }}
    neural-hive.local/rerun: {{ . | quote }}
    {{- end }}
spec:
  serviceAccountName: vault-bootstrap
  {{- include "vault.operationsPod" (list . "bootstrap") | nindent 2 }}
  containers:
    - name: bootstrap
      {{- include "vault.operationsContainer" . | nindent 6 }}
      args: [bootstrap, --settings=/etc/vault-operations/settings.json, --token-file=/var/run/secrets/vault/token{{ if .Values.bootstrap.parametersSecret }}, --parameters=/etc/vault-parameters/parameters.json{{ end }}]
      env:
        - name: NODE_ENV
          value: production
      volumeMounts:
        - { name: settings, mountPath: /etc/vault-operations, readOnly: true }
        - { name: vault-token, mountPath: /var/run/secrets/vault, readOnly: true }
        {{- include "vault.caVolumeMount" . | nindent 8 }}
        {{- include "vault.parametersVolumeMount" . | nindent 8 }}
  volumes:
    - name: settings
      configMap: { name: {{ include "vault.fullname" . }}-operations }
    {{- include "vault.loginVolume" . | nindent 4 }}
    {{- include "vault.caVolume" . | nindent 4 }}
    {{- include "vault.parametersVolume" . | nindent 4 }}
{{- end -}}
