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
  {{- if .Values.opa.ca.configMap }}
  OPA_CA_BUNDLE: /etc/neural-hive/opa/{{ .Values.opa.ca.key }}
  {{- end }}
{{- $configMaps := dict "programs" .Values.programs.configMap "opa" .Values.opa.ca.configMap }}
configMaps:
  {{- range $name, $configMap := $configMaps }}
  {{- if $configMap }}
  {{ $name }}{{ if eq $name "opa" }}-ca{{ end }}: {{ $configMap }}
  {{- end }}
  {{- end }}
mounts:
  {{- range $name, $configMap := $configMaps }}
  {{- if $configMap }}
  {{ $name }}{{ if eq $name "opa" }}-ca{{ end }}: /etc/neural-hive/{{ $name }}
  {{- end }}
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
{{- $opa := .Values.settings.OPA_URL -}}
{{- if and (not $opa) (or .Values.settings.OPA_POLICIES .Values.settings.OPA_SPIFFE_ID .Values.opa.ca.configMap) -}}
{{- $problems = append $problems "settings.OPA_URL is empty with OPA_POLICIES, OPA_SPIFFE_ID or opa.ca set: nobody would be asked; set it to the address of the policy server" -}}
{{- end -}}
{{- if and $opa (not .Values.settings.OPA_POLICIES) -}}
{{- $problems = append $problems "settings.OPA_POLICIES is empty with settings.OPA_URL set: tickets could ask nothing; name the decisions, such as deploy/allow" -}}
{{- end -}}
{{- $isNear := regexMatch "^http://" $opa -}}
{{- $port := regexFind ":[0-9]+$" (urlParse $opa).host | trimPrefix ":" | default "443" -}}
{{- if and $opa (not $isNear) .Values.networkPolicy.enabled -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egress -}}{{- $ports = append $ports (toString .port) -}}{{- end -}}
{{- if not (has $port $ports) -}}
{{- $problems = append $problems (printf "networkPolicy.egress has nothing with port %s: say where settings.OPA_URL is, or set networkPolicy.enabled=false" $port) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
