{{- define "service-registry.facts" -}}
namespace: neural-hive-registry
vault: false
plainSpiffe: true
ports:
  - { name: grpc, setting: GRPC_PORT }
callers:
  - { name: orchestrator-dynamic, namespace: neural-hive-orchestration }
  - { name: worker-agents, namespace: neural-hive-execution }
data: /var/lib/neural-hive
oneProcess: agents are in the memory of one process; set it to 1
closeSeconds: 10
{{- end -}}

{{- define "service-registry.problems" -}}
{{- $problems := list -}}
{{- if and (eq .Values.profile "prod") (not .Values.settings.REGISTRY_JOURNAL_FILE) -}}
{{- $problems = append $problems "settings.REGISTRY_JOURNAL_FILE is empty: agents would be forgotten at every restart; set it to /var/lib/neural-hive/journal, or profile=dev" -}}
{{- end -}}
{{- if and (eq .Values.profile "prod") .Values.settings.REGISTRY_JOURNAL_FILE (not .Values.persistence.enabled) -}}
{{- $problems = append $problems "persistence.enabled is false: the journal would go with its pod; set it to true, or profile=dev" -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
