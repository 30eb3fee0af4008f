{{- define "orchestrator-dynamic.facts" -}}
namespace: neural-hive-orchestration
vault: true
ports:
  - { name: https, setting: HTTP_PORT }
calls:
  - { name: service-registry, namespace: neural-hive-registry, setting: SERVICE_REGISTRY_PORT }
backends:
  - { host: POSTGRES_HOST, port: POSTGRES_PORT }
{{- if eq .Values.settings.ORCHESTRATOR_ENGINE "temporal" }}
  - { host: TEMPORAL_HOST, port: TEMPORAL_PORT }
# Whose a ticket is that came over Kafka, workers ask here.
callers:
  - { name: worker-agents, namespace: neural-hive-execution }
required: [POSTGRES_HOST, SERVICE_REGISTRY_HOST, TEMPORAL_HOST, MONGODB_URI, KAFKA_BOOTSTRAP_SERVERS]
{{- else }}
required: [POSTGRES_HOST, SERVICE_REGISTRY_HOST]
{{- end }}
{{- $authorities := dict "temporal" (list .Values.temporal.ca "TEMPORAL_TLS_CA_LOCATION") "kafka" (list .Values.kafka.ca "KAFKA_SSL_CA_LOCATION") }}
paths:
  {{- range $name, $authority := $authorities }}
  {{- with index $authority 0 }}
  {{- if .configMap }}
  {{ index $authority 1 }}: /etc/neural-hive/{{ $name }}-ca/{{ .key }}
  {{- end }}
  {{- end }}
  {{- end }}
configMaps:
  {{- range $name, $authority := $authorities }}
  {{- with (index $authority 0).configMap }}
  {{ $name }}-ca: {{ . }}
  {{- end }}
  {{- end }}
mounts:
  {{- range $name, $authority := $authorities }}
  {{- if (index $authority 0).configMap }}
  {{ $name }}-ca: /etc/neural-hive/{{ $name }}-ca
  {{- end }}
  {{- end }}
closeSeconds: 10
{{- end -}}

{{- define "orchestrator-dynamic.problems" -}}
{{- $problems := list -}}
{{- if and (eq .Values.profile "prod") (ne .Values.settings.POSTGRES_SSL_MODE "verify-full") -}}
{{- $problems = append $problems (printf "settings.POSTGRES_SSL_MODE is %s: production verifies its database; set verify-full, or profile=dev" .Values.settings.POSTGRES_SSL_MODE) -}}
{{- end -}}
{{- $settings := .Values.settings -}}
{{- $isTemporal := eq $settings.ORCHESTRATOR_ENGINE "temporal" -}}
{{- $carried := ternary "kafka" "postgres" $isTemporal -}}
{{- if and $settings.TICKET_TRANSPORT (ne $settings.TICKET_TRANSPORT $carried) -}}
{{- $problems = append $problems (printf "settings.TICKET_TRANSPORT is %s with settings.ORCHESTRATOR_ENGINE=%s: set it to %s or leave it empty" $settings.TICKET_TRANSPORT $settings.ORCHESTRATOR_ENGINE $carried) -}}
{{- end -}}
{{- if and $isTemporal .Values.networkPolicy.enabled -}}
{{- $open := list -}}
{{- range .Values.networkPolicy.egress -}}{{- $open = append $open (toString .port) -}}{{- end -}}
{{- range $name, $text := dict "KAFKA_BOOTSTRAP_SERVERS" $settings.KAFKA_BOOTSTRAP_SERVERS "MONGODB_URI" (regexReplaceAll "^mongodb(\\+srv)?://" $settings.MONGODB_URI "") -}}
{{- range regexFindAll ":[0-9]+" $text -1 -}}
{{- if not (has (trimPrefix ":" .) $open) -}}
{{- $problems = append $problems (printf "networkPolicy.egress has nothing with port %s: say where settings.%s is, or set networkPolicy.enabled=false" (trimPrefix ":" .) $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
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
