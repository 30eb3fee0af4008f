{{/* Every variable that the process is given. Empty ones are left out: they count as unset. */}}
{{- define "service.environment" -}}
{{- $facts := include "service.facts" . | fromYaml -}}
- { name: NODE_ENV, value: production }
{{- range $name, $value := .Values.settings }}
{{- if ne $value "" }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}
{{- range $name, $path := $facts.fromPod }}
- { name: {{ $name }}, valueFrom: { fieldRef: { fieldPath: {{ $path }} } } }
{{- end }}
{{- with $facts.versionVariable }}
- { name: {{ . }}, value: {{ default $.Chart.AppVersion $.Values.image.tag | quote }} }
{{- end }}
{{- range $name, $path := $facts.paths }}
- { name: {{ $name }}, value: {{ $path | quote }} }
{{- end }}
{{- if .Values.extraCa.configMap }}
- { name: NODE_EXTRA_CA_CERTS, value: /etc/neural-hive/ca/{{ .Values.extraCa.key }} }
{{- end }}
{{- include "service.spireEnvironment" (list . $facts) }}
{{- if $facts.vault }}
{{- include "service.vaultEnvironment" . }}
{{- end }}
{{- end -}}

{{- define "service.spireEnvironment" -}}
{{- $facts := index . 1 -}}
{{- with (index . 0).Values -}}
{{- $spire := dict "SPIFFE_ENDPOINT_SOCKET" (printf "unix://%s/agent.sock" .spire.socketFolder) }}
{{- if not $facts.plainSpiffe -}}
{{- $spire = merge $spire (dict "SPIFFE_TRUST_DOMAIN" .spire.trustDomain "SPIFFE_ISSUER" .spire.issuer "SPIFFE_JWT_LEEWAY_SECONDS" .spire.leewaySeconds "SPIFFE_INITIAL_SYNC_TIMEOUT_SECONDS" .spire.initialSyncSeconds "SPIFFE_DENIED_GRACE_SECONDS" .spire.deniedGraceSeconds) -}}
{{- $spire = merge $spire (dict "SECURITY_TOKEN_CACHE_STRATEGY" .tokenCache.strategy "SECURITY_TOKEN_CACHE_MAX_ENTRIES" .tokenCache.maxEntries "SECURITY_TOKEN_REFRESH_SHARE" .tokenCache.refreshShare) -}}
{{- end -}}
{{- range $name, $value := $spire }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.vaultEnvironment" -}}
{{- $vault := .Values.vault -}}
{{- $names := dict "VAULT_ADDRESS" $vault.address "VAULT_NAMESPACE" $vault.namespace "VAULT_AUTH_METHOD" $vault.authMethod "VAULT_AUTH_MOUNT" $vault.authMount "VAULT_KUBERNETES_ROLE" (default .Chart.Name $vault.role) "VAULT_JWT_AUDIENCE" $vault.audience -}}
{{- $names = merge $names (dict "VAULT_MOUNT_KV" $vault.mounts.kv "VAULT_MOUNT_DATABASE" $vault.mounts.database "VAULT_MOUNT_PKI" $vault.mounts.pki "VAULT_TIMEOUT_SECONDS" $vault.timeoutSeconds "VAULT_MAX_RETRIES" $vault.maxRetries) -}}
{{- if eq $vault.authMethod "kubernetes" -}}
{{- $names = set $names "VAULT_TOKEN_PATH" "/var/run/secrets/vault/token" -}}
{{- end -}}
{{- if $vault.ca.name -}}
{{- $names = set $names "VAULT_CA_BUNDLE" (printf "/etc/vault/ca/%s" $vault.ca.key) -}}
{{- end -}}
{{- if $vault.leaseJournal -}}
{{- $names = set $names "VAULT_LEASE_JOURNAL_PATH" "/var/run/neural-hive/leases" -}}
{{- end -}}
{{- if eq $vault.mode "agent" -}}
{{- $names = set $names "VAULT_AGENT_SECRETS_PATH" "/vault/secrets" -}}
{{- end -}}
{{- range $name, $value := $names }}
{{- if ne (toString $value) "" }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}
{{- end -}}
