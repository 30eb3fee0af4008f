{{/* Arguments: the image's values, its default repository, its default tag. */}}
{{- define "vault.imageOf" -}}
{{- $image := index . 0 -}}
{{- $repository := default (index . 1) $image.repository -}}
{{- $tag := default (index . 2) $image.tag -}}
{{- $repository }}:{{ $tag }}{{ with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "vault.serverImage" -}}
{{- $repository := ternary "openbao/openbao" "hashicorp/vault" (eq .Values.server.product "openbao") -}}
{{- include "vault.imageOf" (list .Values.server.image $repository .Values.server.version) -}}
{{- end -}}

{{- define "vault.agentImage" -}}
{{- $image := .Values.injector.agentImage -}}
{{- if or $image.repository $image.tag $image.digest -}}
{{- $repository := ternary "openbao/openbao" "hashicorp/vault" (eq .Values.server.product "openbao") -}}
{{- include "vault.imageOf" (list $image $repository .Values.server.version) -}}
{{- else -}}
{{- include "vault.serverImage" . -}}
{{- end -}}
{{- end -}}

{{- define "vault.operationsImage" -}}
{{- include "vault.imageOf" (list .Values.operations.image "" .Chart.Version) -}}
{{- end -}}

{{- define "vault.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
