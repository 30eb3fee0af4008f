{{/* What the programs of the operations image read: no secret is in it. */}}
{{- define "vault.settings" -}}
{{- $servers := list -}}
{{- range $ordinal := until (int .Values.server.replicas) -}}
{{- $servers = append $servers (printf "%s://%s.%s:8200" (include "vault.scheme" $) (include "vault.peerHost" (list $ $ordinal)) (include "vault.domain" $)) -}}
{{- end -}}
{{- $parameters := mergeOverwrite (dict "kubernetes" (dict "host" (printf "https://kubernetes.default.svc.%s" .Values.clusterDomain))) (deepCopy .Values.bootstrap.parameters) -}}
{{- $raft := .Values.server.raft.autopilot -}}
{{- $autopilot := dict "cleanup_dead_servers" $raft.cleanupDeadServers "dead_server_last_contact_threshold" $raft.deadServerLastContactThreshold "last_contact_threshold" $raft.lastContactThreshold "max_trailing_logs" ($raft.maxTrailingLogs | int) "min_quorum" ($raft.minQuorum | int) "server_stabilization_time" $raft.serverStabilizationTime -}}
{{- $cluster := dict "servers" $servers "address" (include "vault.address" .) "autopilot" $autopilot -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $cluster "ca" (include "vault.caFile" .) -}}
{{- end -}}
{{- if eq .Values.server.product "vault" -}}
{{- $_ := set $cluster "auditDevices" (include "vault.auditDevices" . | fromJsonArray) -}}
{{- end -}}
{{- if .Values.snapshot.enabled -}}
{{- $_ := set $cluster "snapshotAccount" (dict "namespace" .Release.Namespace "name" .Values.snapshot.serviceAccount.name) -}}
{{- end -}}
{{- $settings := dict "cluster" $cluster "parameters" $parameters -}}
{{- if .Values.init.enabled -}}
{{- $init := dict "recoveryShares" (.Values.init.recoveryShares | int) "recoveryThreshold" (.Values.init.recoveryThreshold | int) "revokeRootToken" .Values.init.revokeRootToken "secrets" .Values.init.secrets -}}
{{- with .Values.init.fallback.publicKey -}}
{{- $_ := set $init "fallback" (dict "namespace" $.Release.Namespace "secretName" $.Values.init.fallback.secretName "publicKey" .) -}}
{{- end -}}
{{- $_ := set $settings "init" $init -}}
{{- end -}}
{{- if .Values.snapshot.enabled -}}
{{- $_ := set $settings "snapshot" (dict "bucket" .Values.snapshot.bucket "prefix" .Values.snapshot.prefix) -}}
{{- end -}}
{{- $settings | toPrettyJson -}}
{{- end -}}

{{/* A Job cannot be changed: what it runs is in its name, so a change makes a new one. Arguments: root and component. */}}
{{- define "vault.jobName" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $template := include (printf "vault.%sTemplate" $component) $root -}}
{{- printf "%s-%s-%s" (include "vault.fullname" $root) $component ($template | sha256sum | trunc 10) -}}
{{- end -}}

{{/* The token with which a Job logs in; its audience is the one the role in Vault is bound to. */}}
{{- define "vault.loginVolume" -}}
- name: vault-token
  projected:
    sources:
      - serviceAccountToken:
          audience: vault.neural-hive.local
          expirationSeconds: 600
          path: token
{{- end -}}

{{/* Common to the pods of the operations image. Arguments: root and component. */}}
{{- define "vault.operationsPod" -}}
{{- $root := index . 0 -}}
automountServiceAccountToken: false
restartPolicy: OnFailure
{{- include "vault.pullSecrets" $root }}
securityContext:
  {{- include "vault.podSecurityContext" $root | nindent 2 }}
{{- with $root.Values.operations.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.operations.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "vault.operationsContainer" -}}
image: {{ include "vault.operationsImage" . }}
imagePullPolicy: {{ .Values.operations.image.pullPolicy }}
resources:
  {{- toYaml .Values.operations.resources | nindent 2 }}
securityContext:
  {{- include "vault.containerSecurityContext" . | nindent 2 }}
{{- end -}}
