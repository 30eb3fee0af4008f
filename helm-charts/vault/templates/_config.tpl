{{/* vault.hcl. Vault expands no variables in it: what differs between pods comes from VAULT_* in their environment. */}}
{{- define "vault.config" -}}
cluster_name      = {{ .Values.server.clusterName | quote }}
ui                = {{ .Values.server.ui }}
default_lease_ttl = {{ .Values.server.defaultLeaseTtl | quote }}
max_lease_ttl     = {{ .Values.server.maxLeaseTtl | quote }}
{{- if eq .Values.server.product "vault" }}

# Raft maps its file into memory, so locking it would lock the file; swap is off on Kubernetes nodes. OpenBao locks none.
disable_mlock = true
{{- end }}

raw_storage_endpoint   = false
introspection_endpoint = false

listener "tcp" {
  address         = "[::]:8200"
  cluster_address = "[::]:8201"
  {{- include "vault.listenerTls" . | nindent 2 }}

  max_request_duration = {{ .Values.server.maxRequestDuration | quote }}
}
{{- if .Values.metrics.enabled }}

# For Prometheus: its requests need no token here, and network policies let nobody else in.
listener "tcp" {
  address = "[::]:8202"
  {{- include "vault.listenerTls" . | nindent 2 }}

  max_request_duration = "10s"

  telemetry {
    unauthenticated_metrics_access = true
    {{- if eq .Values.server.product "openbao" }}
    metrics_only                   = true
    {{- end }}
  }
}
{{- end }}

storage "raft" {
  path                   = "/vault/data"
  performance_multiplier = {{ .Values.server.raft.performanceMultiplier | int }}
  snapshot_threshold     = {{ .Values.server.raft.snapshotThreshold | int }}
  trailing_logs          = {{ .Values.server.raft.trailingLogs | int }}
  {{- range $ordinal := until (int .Values.server.replicas) }}

  retry_join {
    leader_api_addr = "{{ include "vault.scheme" $ }}://{{ include "vault.peerHost" (list $ $ordinal) }}:8200"
    {{- if $.Values.tls.enabled }}
    leader_ca_cert_file   = "{{ include "vault.caFile" $ }}"
    leader_tls_servername = "{{ include "vault.peerHost" (list $ $ordinal) }}"
    {{- end }}
  }
  {{- end }}
}
{{- if eq .Values.seal.type "awskms" }}

seal "awskms" {
  region     = {{ .Values.aws.region | quote }}
  kms_key_id = {{ .Values.seal.awskms.kmsKeyId | quote }}
  {{- with .Values.aws.endpoints.kms }}
  endpoint   = {{ . | quote }}
  {{- end }}
}
{{- end }}
{{- if .Values.server.serviceRegistration }}

service_registration "kubernetes" {}
{{- end }}

telemetry {
  prometheus_retention_time = "24h"
  disable_hostname          = true
}
{{- if eq .Values.server.product "openbao" }}
{{- range $device := include "vault.auditDevices" . | fromJsonArray }}

audit "file" {{ $device.path | quote }} {
  options {
    {{- range $option, $value := $device.options }}
    {{ $option }} = {{ $value | quote }}
    {{- end }}
  }
}
{{- end }}
{{- end }}
{{- end -}}

{{- define "vault.listenerTls" -}}
{{- if .Values.tls.enabled -}}
tls_cert_file   = "{{ include "vault.tlsFolder" . }}/tls.crt"
tls_key_file    = "{{ include "vault.tlsFolder" . }}/tls.key"
tls_min_version = {{ .Values.tls.minVersion | quote }}
{{- with .Values.tls.cipherSuites }}
tls_cipher_suites = {{ join "," . | quote }}
{{- end }}

# The cert auth method reads the client's certificate, so it is asked for. It is not required: the kubelet's probes
# have none.
tls_disable_client_certs = false
{{- else -}}
tls_disable = true
{{- end }}
{{- end -}}

{{/* What is declared here for OpenBao and enabled through the API by the init Job for Vault. */}}
{{- define "vault.auditDevices" -}}
{{- $devices := list -}}
{{- if .Values.audit.file.enabled -}}
{{- $devices = append $devices (dict "path" "file" "type" "file" "options" (dict "file_path" "/vault/audit/audit.log" "mode" "0600" "log_raw" "false" "hmac_accessor" "true")) -}}
{{- end -}}
{{- if .Values.audit.stdout.enabled -}}
{{- $devices = append $devices (dict "path" "stdout" "type" "file" "options" (dict "file_path" "stdout" "log_raw" "false" "hmac_accessor" "true")) -}}
{{- end -}}
{{- $devices | toJson -}}
{{- end -}}
