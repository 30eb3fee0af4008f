{{/* One entry of a list of peers. */}}
{{- define "service.peer" -}}
{{- if .namespace -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace }}
  {{- with .podLabels }}
  podSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end }}
{{- range concat (default list .cidrs) (default list .nodeCidrs) }}
- ipBlock: { cidr: {{ . }} }
{{- end }}
{{- end -}}

{{/* Pods of another service of the platform, whatever its release is called. */}}
{{- define "service.platformPeer" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace }}
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .name }}
      app.kubernetes.io/component: service
{{- end -}}

{{- define "service.dnsEgress" -}}
{{- with .Values.networkPolicy.dns -}}
- to:
    {{- include "service.peer" (dict "namespace" .namespace "podLabels" .podLabels "cidrs" .nodeLocalCidrs) | nindent 4 }}
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end }}
{{- end -}}

{{- define "service.vaultEgress" -}}
- to:
    {{- include "service.peer" .Values.networkPolicy.vault | nindent 4 }}
  ports:
    - { protocol: TCP, port: {{ include "service.vaultPort" . }} }
{{- end -}}

{{- define "service.vaultPort" -}}
{{- $host := (urlParse .Values.vault.address).host -}}
{{- default "443" (regexFind ":[0-9]+$" $host | trimPrefix ":") -}}
{{- end -}}

{{- define "service.networkPolicy" -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- $policy := .Values.networkPolicy -}}
{{- if $policy.enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "service.metadata" (list . .Chart.Name "service") | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "service.selectorLabels" (list . "service") | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- if or $facts.callers $policy.clients }}
    - from:
        {{- range $facts.callers }}
        {{- include "service.platformPeer" . | nindent 8 }}
        {{- end }}
        {{- range $policy.clients }}
        # {{ .name }}
        {{- include "service.peer" . | nindent 8 }}
        {{- end }}
      ports:
        {{- range $facts.ports }}
        - { protocol: TCP, port: {{ index $.Values.settings .setting }} }
        {{- end }}
    {{- end }}
    - from:
        {{- include "service.peer" $policy.prometheus | nindent 8 }}
        - podSelector:
            matchLabels:
              {{- include "service.selectorLabels" (list . "test") | nindent 14 }}
      ports:
        - { protocol: TCP, port: {{ .Values.settings.METRICS_PORT }} }
  egress:
    {{- include "service.dnsEgress" . | nindent 4 }}
    {{- if $facts.vault }}
    {{- include "service.vaultEgress" . | nindent 4 }}
    {{- end }}
    {{- range $facts.calls }}
    - to:
        {{- include "service.platformPeer" . | nindent 8 }}
      ports:
        - { protocol: TCP, port: {{ if .port }}{{ .port }}{{ else }}{{ index $.Values.settings .setting }}{{ end }} }
    {{- end }}
    {{- range $policy.egress }}
    # {{ .name }}
    - to:
        {{- include "service.peer" . | nindent 8 }}
      ports:
        - { protocol: TCP, port: {{ .port }} }
    {{- end }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "service.metadata" (list . (printf "%s-test" .Chart.Name) "test") | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "service.selectorLabels" (list . "test") | nindent 6 }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "service.dnsEgress" . | nindent 4 }}
    - to:
        - podSelector:
            matchLabels:
              {{- include "service.selectorLabels" (list . "service") | nindent 14 }}
      ports:
        - { protocol: TCP, port: {{ .Values.settings.METRICS_PORT }} }
{{- end }}
{{- end -}}
