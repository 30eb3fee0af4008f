{{- define "worker-agents.facts" -}}
namespace: neural-hive-execution
vault: true
# It takes no calls: it asks for tickets.
ports: []
calls:
  - { name: service-registry, namespace: neural-hive-registry, setting: SERVICE_REGISTRY_PORT }
backends:
  - { host: POSTGRES_HOST, port: POSTGRES_PORT }
required: [POSTGRES_HOST, SERVICE_REGISTRY_HOST]
fromPod: { AGENT_ID: metadata.name, POD_NAMESPACE: metadata.namespace }
versionVariable: SERVICE_VERSION
data: /var/lib/neural-hive
paths:
  WORKER_DATA_FOLDER: /var/lib/neural-hive
  WORKER_PROJECTS_FOLDER: {{ .Values.projects.folder }}
  {{- if .Values.programs.configMap }}
  ALLOWED_PROGRAMS_FILE: /etc/neural-hive/programs/{{ .Values.programs.key }}
  {{- end }}
{{- with .Values.programs.configMap }}
configMaps: { programs: {{ . }} }
mounts: { programs: /etc/neural-hive/programs }
{{- end }}
closeSeconds: 10
{{- end -}}

{{- define "worker-agents.problems" -}}
{{- $problems := list -}}
{{- $types := splitList "," .Values.settings.SUPPORTED_TASK_TYPES -}}
{{- $shared := and .Values.persistence.enabled (eq .Values.persistence.accessMode "ReadWriteMany") -}}
{{- $most := include "service.mostReplicas" . | int -}}
{{- if and (gt $most 1) (has "BUILD" $types) (not $shared) -}}
{{- $problems = append $problems (printf "persistence gives each of up to %d workers a folder of its own: what one builds the others do not find; set persistence.enabled=true with accessMode=ReadWriteMany, or run one worker" $most) -}}
{{- end -}}
{{- if and (gt $most 1) (has "DEPLOY" $types) -}}
{{- $problems = append $problems (printf "settings.SUPPORTED_TASK_TYPES has DEPLOY for up to %d workers: releases are locked between processes of one machine only; give DEPLOY to a release with one worker" $most) -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
