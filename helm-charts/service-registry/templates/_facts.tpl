{{- define "service-registry.facts" -}}
{{- $shared := eq .Values.settings.REGISTRY_STORE "redis" -}}
namespace: neural-hive-registry
# The login of Redis is leased; agents in memory need nothing of Vault.
vault: {{ $shared }}
plainSpiffe: true
ports:
  - { name: grpc, setting: GRPC_PORT }
callers:
  - { name: orchestrator-dynamic, namespace: neural-hive-orchestration }
  - { name: worker-agents, namespace: neural-hive-execution }
{{- if $shared }}
backends:
  - { host: REDIS_HOST, port: REDIS_PORT }
required: [REDIS_HOST]
{{- with .Values.redis.ca }}
{{- if .configMap }}
paths: { REDIS_CA_BUNDLE: /etc/neural-hive/redis/{{ .key }} }
configMaps: { redis-ca: {{ .configMap }} }
mounts: { redis-ca: /etc/neural-hive/redis }
{{- end }}
{{- end }}
{{- else }}
data: /var/lib/neural-hive
oneProcess: with settings.REGISTRY_STORE=memory agents are known to one process; set it to 1, or the store to redis
{{- end }}
closeSeconds: 10
{{- end -}}

{{- define "service-registry.problems" -}}
{{- $problems := list -}}
{{- if and (eq .Values.profile "prod") (eq .Values.settings.REGISTRY_STORE "memory") -}}
{{- if not .Values.settings.REGISTRY_JOURNAL_FILE -}}
{{- $problems = append $problems "settings.REGISTRY_JOURNAL_FILE is empty with settings.REGISTRY_STORE=memory: agents would be forgotten at every restart; set it to /var/lib/neural-hive/journal, or profile=dev" -}}
{{- else if not .Values.persistence.enabled -}}
{{- $problems = append $problems "persistence.enabled is false with settings.REGISTRY_JOURNAL_FILE set: the journal would go with its pod; set it to true, or profile=dev" -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.settings.REGISTRY_STORE "redis") .Values.settings.REGISTRY_JOURNAL_FILE -}}
{{- $problems = append $problems "settings.REGISTRY_JOURNAL_FILE is set with settings.REGISTRY_STORE=redis: there is no journal then; leave it empty, or set the store to memory" -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
