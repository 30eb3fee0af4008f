{{/* What the restricted Pod Security level asks of a pod. The images run as uid 1000. */}}
{{- define "spire.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "spire.restrictedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* No two on one node, and one zone after the other. Call with (list . "server" "DoNotSchedule"). */}}
{{- define "spire.spread" -}}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "spire.selector" . | nindent 12 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ index . 2 }}
    labelSelector:
      matchLabels: {{- include "spire.selector" . | nindent 8 }}
{{- end }}

{{/* Call with the values of the component. */}}
{{- define "spire.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The volume through which a pod reaches its agent. Call with (list . "csi"). */}}
{{- define "spire.socketVolume" -}}
{{- $root := index . 0 -}}
name: spire-agent-socket
{{- if eq (index . 1) "csi" }}
csi:
  driver: csi.spiffe.io
  readOnly: true
{{- else }}
hostPath:
  path: {{ $root.Values.agent.socketFolder }}
  type: Directory
{{- end }}
{{- end }}
