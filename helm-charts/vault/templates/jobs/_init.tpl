{{- define "vault.initTemplate" -}}
metadata:
  labels:
    {{- include "vault.podLabels" (list . "init") | nindent 4 }}
  annotations:
    checksum/settings: {{ include "vault.settings" . | sha256sum }}
spec:
  serviceAccountName: {{ .Values.init.serviceAccount.name }}
  {{- include "vault.operationsPod" (list . "init") | nindent 2 }}
  containers:
    - name: init
      {{- include "vault.operationsContainer" . | nindent 6 }}
      args: [init, --settings=/etc/vault-operations/settings.json{{ if .Values.bootstrap.parametersSecret }}, --parameters=/etc/vault-parameters/parameters.json{{ end }}]
      env:
        - name: NODE_ENV
          value: production
        {{- include "vault.awsEnv" (list . .Values.init.serviceAccount) | nindent 8 }}
      volumeMounts:
        - { name: settings, mountPath: /etc/vault-operations, readOnly: true }
        {{- include "vault.caVolumeMount" . | nindent 8 }}
        {{- include "vault.parametersVolumeMount" . | nindent 8 }}
        {{- include "vault.awsVolumeMount" . | nindent 8 }}
        {{- if .Values.init.fallback.publicKey }}
        - { name: kubernetes-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
        {{- end }}
  volumes:
    - name: settings
      configMap: { name: {{ include "vault.fullname" . }}-operations }
    {{- include "vault.caVolume" . | nindent 4 }}
    {{- include "vault.parametersVolume" . | nindent 4 }}
    {{- include "vault.awsVolume" . | nindent 4 }}
    {{- if .Values.init.fallback.publicKey }}
    - name: kubernetes-token
      projected:
        sources:
          - serviceAccountToken: { expirationSeconds: 3600, path: token }
          - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
    {{- end }}
{{- end -}}
