{{- define "vault.injectorName" -}}
{{- include "vault.fullname" . }}-injector
{{- end -}}

{{- define "vault.webhookName" -}}
{{- include "vault.clusterWideName" . }}-injector
{{- end -}}

{{- define "vault.injectorCertManager" -}}
{{- if and .Values.injector.enabled (eq .Values.injector.tls.mode "certManager") -}}true{{- end -}}
{{- end -}}
