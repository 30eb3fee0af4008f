{{/* Pods of a component of this chart. Call with (list . "server" namespace). */}}
{{- define "spire.peer" -}}
{{- $root := index . 0 -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ index . 2 }}
podSelector:
  matchLabels: {{- include "spire.selector" (list $root (index . 1)) | nindent 4 }}
{{- end }}

{{- define "spire.cidrs" -}}
{{- range . }}
- ipBlock:
    cidr: {{ . }}
{{- end }}
{{- end }}

{{/* Where agents come from: their pods, or with hostNetwork their nodes, which no selector matches. */}}
{{- define "spire.agentPeers" -}}
{{- if .Values.agent.hostNetwork }}
{{- include "spire.cidrs" .Values.networkPolicy.nodeCidrs }}
{{- else }}
- {{ include "spire.peer" (list . "agent" (include "spire.agentNamespace" .)) | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- define "spire.dnsEgress" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.networkPolicy.dns.namespace }}
    {{- with .Values.networkPolicy.dns.nodeLocalCidr }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end }}

{{- define "spire.apiServerEgress" -}}
- to: {{- include "spire.cidrs" .Values.networkPolicy.apiServer.cidrs | trim | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end }}
