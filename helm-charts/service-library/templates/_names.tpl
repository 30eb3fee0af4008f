{{/* What a service is, as the platform knows it: <chart>.facts gives YAML. Identities, roles and policies say the same. */}}
{{- define "service.facts" -}}
{{- include (printf "%s.facts" .Chart.Name) . -}}
{{- end -}}

{{- define "service.namespace" -}}
{{- default .Release.Namespace .Values.namespace -}}
{{- end -}}

{{- define "service.image" -}}
{{- $repository := default (printf "neural-hive/%s" .Chart.Name) .Values.image.repository -}}
{{- $repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* What selectors use; it never changes. Arguments: root and component. */}}
{{- define "service.selectorLabels" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "service.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "service.selectorLabels" . }}
app.kubernetes.io/version: {{ default $root.Chart.AppVersion $root.Values.image.tag | quote }}
app.kubernetes.io/part-of: neural-hive
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "service.labels" -}}
{{- $root := index . 0 -}}
{{ include "service.podLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Name, namespace and labels. Arguments: root, name and component. */}}
{{- define "service.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ include "service.namespace" $root }}
labels:
  {{- include "service.labels" (list $root (index . 2)) | nindent 2 }}
{{- end -}}
