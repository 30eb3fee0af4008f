{{- define "orchestrator-dynamic.facts" -}}
namespace: neural-hive-orchestration
vault: true
ports:
  - { name: https, setting: HTTP_PORT }
calls:
  - { name: service-registry, namespace: neural-hive-registry, setting: SERVICE_REGISTRY_PORT }
backends:
  - { host: POSTGRES_HOST, port: POSTGRES_PORT }
required: [POSTGRES_HOST, SERVICE_REGISTRY_HOST]
closeSeconds: 10
{{- end -}}

{{- define "orchestrator-dynamic.problems" -}}
{{- $problems := list -}}
{{- if and (eq .Values.profile "prod") (ne .Values.settings.POSTGRES_SSL_MODE "verify-full") -}}
{{- $problems = append $problems (printf "settings.POSTGRES_SSL_MODE is %s: production verifies its database; set verify-full, or profile=dev" .Values.settings.POSTGRES_SSL_MODE) -}}
{{- end -}}
{{- with .Values.rotation -}}
{{- if and .enabled (not .users) -}}
{{- $problems = append $problems "rotation.users is empty with rotation.enabled=true: name what is rotated" -}}
{{- end -}}
{{- if .enabled -}}
{{- range $name, $user := .users -}}
{{- if and (eq $user.kind "kafka") (not $user.brokers) -}}
{{- $problems = append $problems (printf "rotation.users.%s.brokers is empty: name a broker, HOST:PORT" $name) -}}
{{- end -}}
{{- if and (eq $user.kind "mongodb") (not $user.uri) -}}
{{- $problems = append $problems (printf "rotation.users.%s.uri is empty: name the servers, mongodb://HOST:PORT" $name) -}}
{{- end -}}
{{- if ge (int $user.deadlineSeconds) (int $.Values.rotation.activeDeadlineSeconds) -}}
{{- $problems = append $problems (printf "rotation.users.%s.deadlineSeconds is %v and rotation.activeDeadlineSeconds %v: the Job would be ended while it waits; make the second longer" $name $user.deadlineSeconds $.Values.rotation.activeDeadlineSeconds) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
