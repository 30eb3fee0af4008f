{{- define "service.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .Values.runAsUser }}
runAsGroup: {{ .Values.runAsGroup }}
fsGroup: {{ .Values.runAsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "service.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where pods go. Arguments: root and component. */}}
{{- define "service.placement" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "service.spread" -}}
topologySpreadConstraints:
  {{- range $key, $action := dict "topology.kubernetes.io/zone" .Values.zoneSpread "kubernetes.io/hostname" "ScheduleAnyway" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $action }}
    labelSelector:
      matchLabels:
        {{- include "service.selectorLabels" (list $ "service") | nindent 8 }}
    # Old and new pods of a rollout are not counted together.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}

{{/* A token for Vault and nothing else: the pod has none for the API server. */}}
{{- define "service.vaultTokenVolume" -}}
- name: vault-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          audience: {{ .Values.vault.audience }}
          expirationSeconds: {{ .Values.vault.tokenSeconds }}
          path: token
{{- end -}}

{{- define "service.vaultCaVolume" -}}
{{- with .Values.vault.ca }}
{{- if .name }}
- name: vault-ca
  {{- if eq .kind "Secret" }}
  secret: { secretName: {{ .name }}, defaultMode: 0440, items: [{ key: {{ .key }}, path: {{ .key }} }] }
  {{- else }}
  configMap: { name: {{ .name }}, items: [{ key: {{ .key }}, path: {{ .key }} }] }
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.vaultMounts" -}}
- { name: vault-token, mountPath: /var/run/secrets/vault, readOnly: true }
{{- if .Values.vault.ca.name }}
- { name: vault-ca, mountPath: /etc/vault/ca, readOnly: true }
{{- end }}
{{- end -}}

{{- define "service.extraCaVolume" -}}
{{- with .Values.extraCa }}
{{- if .configMap }}
- name: extra-ca
  configMap: { name: {{ .configMap }}, items: [{ key: {{ .key }}, path: {{ .key }} }] }
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.volumes" -}}
{{- $facts := include "service.facts" . | fromYaml -}}
# The folder, not the socket: an agent that restarts makes a new one.
- name: spire-agent-socket
  {{- if eq .Values.spire.socket "csi" }}
  csi: { driver: csi.spiffe.io, readOnly: true }
  {{- else }}
  hostPath: { path: {{ .Values.spire.socketFolder }}, type: Directory }
  {{- end }}
- name: tmp
  emptyDir: { sizeLimit: 256Mi }
{{- if $facts.vault }}
{{ include "service.vaultTokenVolume" . }}
{{- include "service.vaultCaVolume" . }}
{{- if .Values.vault.leaseJournal }}
- name: leases
  emptyDir: { sizeLimit: 16Mi }
{{- end }}
{{- end }}
{{- include "service.extraCaVolume" . }}
{{- if $facts.data }}
- name: data
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim: { claimName: {{ default .Chart.Name .Values.persistence.existingClaim }} }
  {{- else }}
  emptyDir: { sizeLimit: {{ .Values.persistence.size }} }
  {{- end }}
{{- end }}
{{- range $name, $configMap := $facts.configMaps }}
- name: {{ $name }}
  configMap: { name: {{ $configMap }} }
{{- end }}
{{- range $name, $secret := $facts.secrets }}
- name: {{ $name }}
  secret: { secretName: {{ $secret }} }
{{- end }}
{{- if $facts.apiToken }}
# Laid out as the kubelet does by itself, which it is told not to for pods that do not call the API server.
- name: kubernetes-api
  projected:
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3600 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end -}}

{{- define "service.mounts" -}}
{{- $facts := include "service.facts" . | fromYaml -}}
- { name: spire-agent-socket, mountPath: {{ .Values.spire.socketFolder }}, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- if $facts.vault }}
{{ include "service.vaultMounts" . }}
{{- if .Values.vault.leaseJournal }}
- { name: leases, mountPath: /var/run/neural-hive }
{{- end }}
{{- end }}
{{- if .Values.extraCa.configMap }}
- { name: extra-ca, mountPath: /etc/neural-hive/ca, readOnly: true }
{{- end }}
{{- with $facts.data }}
- { name: data, mountPath: {{ . }} }
{{- end }}
{{- range $name, $path := $facts.mounts }}
- { name: {{ $name }}, mountPath: {{ $path }}, readOnly: true }
{{- end }}
{{- with $facts.apiToken }}
- { name: kubernetes-api, mountPath: {{ . }}, readOnly: true }
{{- end }}
{{- end -}}
