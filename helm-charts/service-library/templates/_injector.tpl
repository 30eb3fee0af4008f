{{/*
Annotations of vault.mode=agent. The agent logs in with the same token as the process, whose audience Vault asks for, and
writes each secret as JSON: the fields of a KV entry, or of a database login.
*/}}
{{- define "service.injectorAnnotations" -}}
{{- $vault := .Values.vault -}}
{{- if eq $vault.mode "agent" }}
vault.hashicorp.com/agent-inject: "true"
vault.hashicorp.com/agent-init-first: "true"
vault.hashicorp.com/role: {{ default .Chart.Name $vault.role | quote }}
vault.hashicorp.com/auth-path: {{ printf "auth/%s" (default "kubernetes" $vault.authMount) | quote }}
vault.hashicorp.com/agent-service-account-token-volume-name: vault-token
{{- with $vault.namespace }}
vault.hashicorp.com/namespace: {{ . | quote }}
{{- end }}
{{- range $file, $path := $vault.agent.secrets }}
vault.hashicorp.com/agent-inject-secret-{{ $file }}: {{ $path | quote }}
vault.hashicorp.com/agent-inject-template-{{ $file }}: {{ include "service.injectorTemplate" (dict "path" $path "kv" (printf "%s/data/" $vault.mounts.kv)) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.injectorTemplate" -}}
{{- $fields := ternary ".Data.data" ".Data" (hasPrefix .kv .path) -}}
{{- printf "{{- with secret %q -}}{{ %s | toJSON }}{{- end -}}" .path $fields -}}
{{- end -}}
