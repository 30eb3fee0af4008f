{{- define "service.notes" -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- $namespace := include "service.namespace" . -}}
{{ .Chart.Name }} {{ default .Chart.AppVersion .Values.image.tag }} in namespace {{ $namespace }}, as spiffe://{{ .Values.spire.trustDomain }}/ns/{{ $namespace }}/sa/{{ .Chart.Name }}

Next:

  kubectl -n {{ $namespace }} rollout status deployment/{{ .Chart.Name }}
  helm -n {{ .Release.Namespace }} test {{ .Release.Name }}

A pod that does not get ready says why in its log:

  kubectl -n {{ $namespace }} logs deployment/{{ .Chart.Name }} --tail=20
{{- if $facts.vault }}

It needs the role {{ default .Chart.Name .Values.vault.role }} in Vault (infrastructure/vault), an entry in SPIRE (helm-charts/spire){{ with .Values.vault.ca.name }} and the {{ $.Values.vault.ca.kind }} {{ . }} with Vault's authority in its namespace{{ end }}.
{{- else }}

It needs an entry in SPIRE (helm-charts/spire).
{{- end }}
{{- if eq .Values.spire.socket "hostPath" }}

The namespace must be labelled pod-security.kubernetes.io/enforce=privileged, or no pod starts.
{{- end }}
{{- if eq .Values.profile "dev" }}

profile=dev: not for secrets that matter.
{{- end }}
{{- end -}}
