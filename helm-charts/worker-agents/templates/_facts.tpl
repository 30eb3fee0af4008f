{{- define "worker-agents.facts" -}}
namespace: neural-hive-execution
vault: true
# It takes no calls: it asks for tickets.
ports: []
calls:
  - { name: service-registry, namespace: neural-hive-registry, setting: SERVICE_REGISTRY_PORT }
{{- $isKafka := eq .Values.settings.TICKET_TRANSPORT "kafka" }}
{{- if $isKafka }}
  - name: orchestrator-dynamic
    namespace: neural-hive-orchestration
    port: {{ regexFind ":[0-9]+$" (urlParse .Values.settings.EXECUTION_TICKET_SERVICE_URL).host | trimPrefix ":" | default "443" }}
{{- end }}
backends:
  - { host: POSTGRES_HOST, port: POSTGRES_PORT }
required: [POSTGRES_HOST, SERVICE_REGISTRY_HOST{{ if $isKafka }}, EXECUTION_TICKET_SERVICE_URL, KAFKA_BOOTSTRAP_SERVERS{{ end }}]
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
  OPA_CA_BUNDLE: /etc/neural-hive/opa-ca/{{ .Values.opa.ca.key }}
  {{- end }}
  {{- if .Values.opa.token.secret }}
  OPA_TOKEN_FILE: /etc/neural-hive/opa-token/{{ .Values.opa.token.key }}
  {{- end }}
  {{- if .Values.kafka.ca.configMap }}
  KAFKA_SSL_CA_LOCATION: /etc/neural-hive/kafka-ca/{{ .Values.kafka.ca.key }}
  {{- end }}
  {{- if .Values.kubernetes.targets.configMap }}
  KUBERNETES_TARGETS_FILE: /etc/neural-hive/targets/{{ .Values.kubernetes.targets.key }}
  KUBERNETES_CA_FILE: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
  KUBERNETES_TOKEN_FILE: /var/run/secrets/kubernetes.io/serviceaccount/token
apiToken: /var/run/secrets/kubernetes.io/serviceaccount
  {{- end }}
{{- $configMaps := dict "programs" .Values.programs.configMap "opa-ca" .Values.opa.ca.configMap "kafka-ca" .Values.kafka.ca.configMap "targets" .Values.kubernetes.targets.configMap }}
{{- $secrets := dict "opa-token" .Values.opa.token.secret }}
configMaps:
  {{- range $name, $configMap := $configMaps }}
  {{- if $configMap }}
  {{ $name }}: {{ $configMap }}
  {{- end }}
  {{- end }}
secrets:
  {{- range $name, $secret := $secrets }}
  {{- if $secret }}
  {{ $name }}: {{ $secret }}
  {{- end }}
  {{- end }}
mounts:
  {{- range $name, $source := merge $configMaps $secrets }}
  {{- if $source }}
  {{ $name }}: /etc/neural-hive/{{ $name }}
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
{{- if and (not $opa) (or .Values.settings.OPA_POLICIES .Values.settings.OPA_SPIFFE_ID .Values.opa.ca.configMap .Values.opa.token.secret) -}}
{{- $problems = append $problems "settings.OPA_URL is empty with OPA_POLICIES, OPA_SPIFFE_ID, opa.ca or opa.token set: nobody would be asked; set it to the address of the policy server" -}}
{{- end -}}
{{- if and $opa (not .Values.settings.OPA_POLICIES) -}}
{{- $problems = append $problems "settings.OPA_POLICIES is empty with settings.OPA_URL set: tickets could ask nothing; name the decisions, such as deploy/allow" -}}
{{- end -}}
{{- if .Values.networkPolicy.enabled -}}
{{- $open := list -}}
{{- range .Values.networkPolicy.egress -}}{{- $open = append $open (toString .port) -}}{{- end -}}
{{- $called := list -}}
{{- if hasPrefix "https://" $opa -}}
{{- $called = append $called (list "settings.OPA_URL" (regexFind ":[0-9]+$" (urlParse $opa).host | default ":443")) -}}
{{- end -}}
{{- with .Values.settings.QUERY_MONGODB_URI -}}
{{- $called = append $called (list "settings.QUERY_MONGODB_URI" (regexFind ":[0-9]+" (trimPrefix "mongodb:" .) | default ":27017")) -}}
{{- end -}}
{{- if .Values.kubernetes.targets.configMap -}}
{{- $url := default "https://kubernetes.default.svc" .Values.settings.KUBERNETES_API_URL -}}
{{- $called = append $called (list "settings.KUBERNETES_API_URL" (regexFind ":[0-9]+$" (urlParse $url).host | default ":443")) -}}
{{- end -}}
{{- if eq .Values.settings.TICKET_TRANSPORT "kafka" -}}
{{- range regexFindAll ":[0-9]+" .Values.settings.KAFKA_BOOTSTRAP_SERVERS -1 -}}
{{- $called = append $called (list "settings.KAFKA_BOOTSTRAP_SERVERS" .) -}}
{{- end -}}
{{- end -}}
{{- range uniq $called -}}
{{- $port := index . 1 | trimPrefix ":" -}}
{{- if not (has $port $open) -}}
{{- $problems = append $problems (printf "networkPolicy.egress has nothing with port %s: say where %s is, or set networkPolicy.enabled=false" $port (index . 0)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.kubernetes.rights (not .Values.kubernetes.targets.configMap) -}}
{{- $problems = append $problems "kubernetes.rights is set and kubernetes.targets.configMap empty: nobody would use them; name the list of targets, or take the rights out" -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
