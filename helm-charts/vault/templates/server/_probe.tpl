{{/*
/v1/sys/health answers 501 before initialisation, 503 sealed, 429 standby, 472 and 473 for replicas, 474 for a standby
that cannot reach the active server, 530 removed from the cluster. Argument: root and whether the server has to be
usable, or only alive.
*/}}
{{- define "vault.healthPath" -}}
{{- if index . 1 -}}
/v1/sys/health?standbyok=true&perfstandbyok=true
{{- else -}}
/v1/sys/health?standbyok=true&perfstandbyok=true&sealedcode=204&uninitcode=204&drsecondarycode=204&haunhealthycode=204&removedcode=204
{{- end -}}
{{- end -}}

{{- define "vault.probe" -}}
httpGet:
  path: {{ include "vault.healthPath" . | quote }}
  port: api
  scheme: {{ include "vault.scheme" (index . 0) | upper }}
{{- end -}}
