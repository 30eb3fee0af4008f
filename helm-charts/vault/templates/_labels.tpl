{{/* What selectors use; it never changes. Arguments: root and component. */}}
{{- define "vault.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "vault.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/*
Of pods. Without the chart's version, which would make every pod look outdated after an upgrade. Arguments: root,
component, and labels of this pod, which win over those common to all.
*/}}
{{- define "vault.podLabels" -}}
{{- $root := index . 0 -}}
{{- $more := ternary (index . (sub (len .) 1)) dict (eq (len .) 3) -}}
{{ include "vault.selectorLabels" . }}
app.kubernetes.io/version: {{ ternary $root.Values.injector.image.tag $root.Values.server.version (eq (index . 1) "injector") | quote }}
app.kubernetes.io/part-of: neural-hive
{{- with merge (deepCopy $more) $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "vault.labels" -}}
{{- $root := index . 0 -}}
{{ include "vault.podLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}
