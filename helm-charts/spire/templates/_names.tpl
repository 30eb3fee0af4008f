{{- define "spire.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "spire.server" -}}{{ include "spire.name" . }}-server{{- end }}
{{- define "spire.agent" -}}{{ include "spire.name" . }}-agent{{- end }}
{{- define "spire.oidc" -}}{{ include "spire.name" . }}-oidc{{- end }}
{{- define "spire.entries" -}}{{ include "spire.name" . }}-entries{{- end }}
{{- define "spire.csi" -}}{{ include "spire.name" . }}-csi-driver{{- end }}
{{- define "spire.test" -}}{{ include "spire.name" . }}-test{{- end }}

{{/* Objects without a namespace: two releases in one cluster must not meet. Call with (list . "server"). */}}
{{- define "spire.clusterName" -}}
{{- $root := index . 0 -}}
{{ printf "%s-%s-%s" $root.Release.Namespace (include "spire.name" $root) (index . 1) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "spire.trustDomain" -}}
{{ default .Values.trustDomain (default dict .Values.global).trustDomain }}
{{- end }}

{{- define "spire.agentNamespace" -}}
{{ default .Release.Namespace .Values.agent.namespace.name }}
{{- end }}

{{- define "spire.issuerHost" -}}
{{ trimPrefix "https://" .Values.jwtIssuer }}
{{- end }}

{{- define "spire.serverAddress" -}}
{{ printf "%s.%s.svc.%s" (include "spire.server" .) .Release.Namespace .Values.clusterDomain }}
{{- end }}

{{/* The part of the labels that never changes. Call with (list . "server"). */}}
{{- define "spire.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "spire.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "spire.labels" -}}
{{- $root := index . 0 -}}
{{ include "spire.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: neural-hive
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* Call with (list . .Values.server.image). */}}
{{- define "spire.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $name := printf "%s/%s" (default $root.Values.image.registry $image.registry) $image.repository -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $name $image.digest }}
{{- else -}}
{{ printf "%s:%s" $name (default $root.Chart.AppVersion $image.tag) }}
{{- end -}}
{{- end }}

{{- define "spire.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The number of seconds of 30s, 5m or 24h. */}}
{{- define "spire.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- if hasSuffix "h" . }}{{ mul $number 3600 }}{{ else if hasSuffix "m" . }}{{ mul $number 60 }}{{ else }}{{ $number }}{{ end -}}
{{- end }}
