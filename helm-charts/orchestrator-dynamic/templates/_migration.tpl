{{- define "orchestrator-dynamic.migrationPod" -}}
metadata:
  labels:
    {{- include "service.podLabels" (list . "migration") | nindent 4 }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ .Values.migration.role }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "service.podSecurityContext" . | nindent 4 }}
  {{- include "service.placement" (list . "migration") | nindent 2 }}
  containers:
    - name: migrate
      image: {{ include "service.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        {{- include "service.containerSecurityContext" . | nindent 8 }}
      command:
        {{- toYaml .Values.migration.command | nindent 8 }}
      env:
        - { name: NODE_ENV, value: production }
        {{- range $name := list "POSTGRES_HOST" "POSTGRES_PORT" "POSTGRES_DATABASE" "POSTGRES_SSL_MODE" }}
        - { name: {{ $name }}, value: {{ index $.Values.settings $name | quote }} }
        {{- end }}
        - { name: VAULT_ADDRESS, value: {{ .Values.vault.address | quote }} }
        - { name: VAULT_KUBERNETES_ROLE, value: {{ .Values.migration.role | quote }} }
        - { name: VAULT_TOKEN_PATH, value: /var/run/secrets/vault/token }
        - { name: VAULT_MOUNT_DATABASE, value: {{ .Values.vault.mounts.database | quote }} }
        {{- with .Values.vault.namespace }}
        - { name: VAULT_NAMESPACE, value: {{ . | quote }} }
        {{- end }}
        {{- if and .Values.vault.authMount (eq .Values.vault.authMethod "kubernetes") }}
        - { name: VAULT_AUTH_MOUNT, value: {{ .Values.vault.authMount | quote }} }
        {{- end }}
        {{- if .Values.vault.ca.name }}
        - { name: VAULT_CA_BUNDLE, value: /etc/vault/ca/{{ .Values.vault.ca.key }} }
        {{- end }}
        {{- if .Values.extraCa.configMap }}
        - { name: NODE_EXTRA_CA_CERTS, value: /etc/neural-hive/ca/{{ .Values.extraCa.key }} }
        {{- end }}
      resources:
        {{- toYaml .Values.migration.resources | nindent 8 }}
      volumeMounts:
        {{- include "service.vaultMounts" . | nindent 8 }}
        {{- if .Values.extraCa.configMap }}
        - { name: extra-ca, mountPath: /etc/neural-hive/ca, readOnly: true }
        {{- end }}
  volumes:
    {{- include "service.vaultTokenVolume" . | nindent 4 }}
    {{- include "service.vaultCaVolume" . | nindent 4 }}
    {{- include "service.extraCaVolume" . | nindent 4 }}
{{- end -}}
