{{- define "orchestrator-dynamic.rotationImage" -}}
{{- $image := .Values.rotation.image -}}
{{- $image.repository }}:{{ default .Chart.AppVersion $image.tag }}{{ with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* The command line of hive. Its login by JWT is the same request as that of the kubernetes method, at another mount. */}}
{{- define "orchestrator-dynamic.rotationArguments" -}}
{{- $root := index . 0 -}}
{{- $user := index . 1 -}}
{{- $vault := $root.Values.vault -}}
- rotate
- {{ $user.kind }}
- --json
- --path={{ $user.path }}
- --mount={{ $vault.mounts.kv }}
- --admin-path={{ $user.adminPath }}
- --deadline={{ $user.deadlineSeconds }}
- --vault-address={{ $vault.address }}
- --vault-role={{ $root.Values.rotation.role }}
- --vault-jwt-file=/var/run/secrets/vault/token
- --vault-auth-mount={{ default "kubernetes" $vault.authMount }}
{{- if $vault.ca.name }}
- --vault-ca=/etc/vault/ca/{{ $vault.ca.key }}
{{- end }}
{{- if $root.Values.extraCa.configMap }}
- --ca=/etc/neural-hive/ca/{{ $root.Values.extraCa.key }}
{{- end }}
{{- range $user.brokers }}
- --broker={{ . }}
{{- end }}
{{- with $user.uri }}
- --uri={{ . }}
{{- end }}
{{- range $user.consumers }}
- --consumer={{ . }}
{{- end }}
{{- end -}}
