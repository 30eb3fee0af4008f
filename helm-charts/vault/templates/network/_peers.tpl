{{/* Pods of this release. Arguments: root and component. */}}
{{- define "vault.ownPods" -}}
- podSelector:
    matchLabels:
      {{- include "vault.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* Pods of another namespace. Argument: namespace and podLabels; without labels, all of it. */}}
{{- define "vault.foreignPods" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace }}
  {{- with .podLabels }}
  podSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end -}}

{{- define "vault.ranges" -}}
{{- range . }}
- ipBlock: { cidr: {{ . }} }
{{- end }}
{{- end -}}

{{/* One entry of databases or extraClients. */}}
{{- define "vault.listedPeer" -}}
{{- if .namespace -}}
{{- include "vault.foreignPods" . -}}
{{- else -}}
{{- include "vault.ranges" .cidrs | trim -}}
{{- end -}}
{{- end -}}

{{- define "vault.egressDns" -}}
{{- $dns := .Values.networkPolicy.dns -}}
- to:
    {{- include "vault.foreignPods" $dns | nindent 4 }}
    {{- with $dns.nodeLocalCidrs }}
    {{- include "vault.ranges" . | nindent 4 }}
    {{- end }}
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end -}}

{{- define "vault.egressServers" -}}
- to:
    {{- include "vault.ownPods" (list . "server") | nindent 4 }}
  ports:
    - { protocol: TCP, port: 8200 }
{{- end -}}

{{- define "vault.egressApiServer" -}}
- to:
    {{- include "vault.ranges" .Values.networkPolicy.apiServer.cidrs | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end -}}

{{- define "vault.egressAws" -}}
- to:
    {{- include "vault.ranges" .Values.networkPolicy.aws.cidrs | nindent 4 }}
  ports:
    - { protocol: TCP, port: {{ .Values.networkPolicy.aws.port }} }
{{- end -}}
