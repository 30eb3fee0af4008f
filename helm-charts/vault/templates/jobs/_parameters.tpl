{{- define "vault.parametersVolumeMount" -}}
{{- if .Values.bootstrap.parametersSecret }}
- { name: parameters, mountPath: /etc/vault-parameters, readOnly: true }
{{- end }}
{{- end -}}

{{- define "vault.parametersVolume" -}}
{{- with .Values.bootstrap.parametersSecret }}
- name: parameters
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{ key: parameters.json, path: parameters.json }]
{{- end }}
{{- end -}}
