{{/* The server's configuration as JSON, which SPIRE reads as well as its own format: nothing to quote, nothing to escape. */}}
{{- define "spire.serverConfig" -}}
{{- $values := .Values.server -}}
{{- $subject := $values.ca.subject -}}
{{- $server := dict
  "trust_domain" (include "spire.trustDomain" .)
  "bind_address" "0.0.0.0"
  "bind_port" 8081
  "socket_path" "/tmp/spire-server/private/api.sock"
  "data_dir" "/run/spire/data"
  "log_level" $values.logLevel
  "log_format" "json"
  "audit_log_enabled" $values.auditLog
  "ca_subject" (list (dict "country" $subject.country "organization" $subject.organization "common_name" $subject.commonName))
  "ca_key_type" $values.ca.keyType
  "ca_ttl" $values.ca.ttl
  "jwt_issuer" .Values.jwtIssuer
  "jwt_key_type" $values.jwtKeyType
  "default_x509_svid_ttl" $values.svidTtl.x509
  "default_jwt_svid_ttl" $values.svidTtl.jwt
  "agent_ttl" $values.agentTtl
  "prune_attested_nodes_expired_for" $values.pruneAttestedNodesExpiredFor
  "ratelimit" (dict "attestation" $values.rateLimit.attestation "signing" $values.rateLimit.signing)
-}}
{{- with $values.adminIds }}{{ $_ := set $server "admin_ids" . }}{{ end -}}
{{- with $values.experimental }}{{ $_ := set $server "experimental" . }}{{ end -}}
{{- with include "spire.federation" . | fromJson }}{{ $_ := set $server "federation" . }}{{ end -}}

{{- $plugins := dict
  "DataStore" (include "spire.plugin" (list "sql" (include "spire.dataStore" . | fromJson)) | fromJson)
  "KeyManager" (include "spire.keyManager" . | fromJson)
  "NodeAttestor" (include "spire.plugin" (list "k8s_psat" (include "spire.serverAttestor" . | fromJson)) | fromJson)
  "Notifier" (include "spire.plugin" (list "k8sbundle" (dict
    "namespace" (include "spire.agentNamespace" .)
    "config_map" .Values.bundle.configMap
    "config_map_key" .Values.bundle.key)) | fromJson)
-}}
{{- if eq $values.upstreamAuthority.type "vault" -}}
{{- $_ := set $plugins "UpstreamAuthority" (include "spire.vaultAuthority" . | fromJson) -}}
{{- end -}}

{{- dict
  "server" $server
  "plugins" $plugins
  "health_checks" (dict "listener_enabled" true "bind_address" "0.0.0.0" "bind_port" "8080" "live_path" "/live" "ready_path" "/ready")
  "telemetry" (dict "Prometheus" (dict "host" "0.0.0.0" "port" 9988))
  | toPrettyJson -}}
{{- end }}

{{/* One plugin of its type. Call with (list name data). */}}
{{- define "spire.plugin" -}}
{{- dict (index . 0) (dict "plugin_data" (index . 1)) | toJson -}}
{{- end }}

{{- define "spire.dataStore" -}}
{{- if eq .Values.database.type "sqlite3" -}}
{{- dict "database_type" "sqlite3" "connection_string" "/run/spire/data/datastore.sqlite3" | toJson -}}
{{- else -}}
{{- $database := .Values.database -}}
{{- $data := dict
  "database_type" "postgres"
  "connection_string" (include "spire.connection" (list $database $database.host))
  "max_open_conns" $database.maxOpenConnections
  "max_idle_conns" $database.maxIdleConnections
  "conn_max_lifetime" $database.connectionLifetime
-}}
{{- with $database.readOnlyHost }}{{ $_ := set $data "ro_connection_string" (include "spire.connection" (list $database .)) }}{{ end -}}
{{- $data | toJson -}}
{{- end -}}
{{- end }}

{{/* User and password are not here: the driver takes them from PGUSER and PGPASSWORD. */}}
{{- define "spire.connection" -}}
{{- $database := index . 0 -}}
{{- $verified := has $database.sslMode (list "verify-ca" "verify-full") -}}
host={{ index . 1 }} port={{ $database.port }} dbname={{ $database.name }} sslmode={{ $database.sslMode }}
{{- if $verified }} sslrootcert=/run/spire/database-ca/{{ $database.caSecret.key }}{{ end }} connect_timeout=10
{{- end }}

{{- define "spire.keyManager" -}}
{{- $manager := .Values.server.keyManager -}}
{{- if eq $manager.type "awsKms" -}}
{{- /* POD_NAME is put in by -expandEnv: each server has keys of its own. */ -}}
{{- include "spire.plugin" (list "aws_kms" (dict
  "region" $manager.awsKms.region
  "key_identifier_value" "${POD_NAME}"
  "enable_tag_based_key_discovery" $manager.awsKms.tagBasedKeyDiscovery)) -}}
{{- else if eq $manager.type "disk" -}}
{{- include "spire.plugin" (list "disk" (dict "keys_path" "/run/spire/data/keys.json")) -}}
{{- else -}}
{{- include "spire.plugin" (list "memory" dict) -}}
{{- end -}}
{{- end }}

{{- define "spire.serverAttestor" -}}
{{- $values := .Values.server -}}
{{- dict "clusters" (dict .Values.clusterName (dict
  "service_account_allow_list" (list (printf "%s:%s" (include "spire.agentNamespace" .) (include "spire.agent" .)))
  "audience" (list .Values.agent.audience)
  "allowed_node_label_keys" $values.allowedNodeLabelKeys
  "allowed_pod_label_keys" $values.allowedPodLabelKeys)) | toJson -}}
{{- end }}

{{- define "spire.vaultAuthority" -}}
{{- $vault := .Values.server.upstreamAuthority.vault -}}
{{- include "spire.plugin" (list "vault" (dict
  "vault_addr" $vault.address
  "pki_mount_point" $vault.pkiMount
  "ca_cert_path" (printf "/run/spire/vault-ca/%s" $vault.caSecret.key)
  "k8s_auth" (dict
    "k8s_auth_mount_point" $vault.authMount
    "k8s_auth_role_name" $vault.role
    "token_path" "/run/spire/vault-token/token"))) -}}
{{- end }}

{{- define "spire.federation" -}}
{{- $values := .Values.server.federation -}}
{{- $federation := dict -}}
{{- if $values.bundleEndpoint.enabled -}}
{{- $_ := set $federation "bundle_endpoint" (dict
  "address" "0.0.0.0"
  "port" 8443
  "refresh_hint" $values.bundleEndpoint.refreshHint
  "profile" (list (dict "https_spiffe" dict))) -}}
{{- end -}}
{{- $others := dict -}}
{{- range $name, $other := $values.federatesWith -}}
{{- $profile := dict -}}
{{- with $other.endpointSpiffeId }}{{ $_ := set $profile "endpoint_spiffe_id" . }}{{ end -}}
{{- $_ := set $others $name (dict
  "bundle_endpoint_url" $other.url
  "bundle_endpoint_profile" (list (dict $other.profile $profile))) -}}
{{- end -}}
{{- with $others }}{{ $_ := set $federation "federates_with" . }}{{ end -}}
{{- $federation | toJson -}}
{{- end }}
