{{/* Values that are missing or contradict each other, all at once: each with its name and what to do. */}}
{{- define "service.validate" -}}
{{- $problems := concat (include "service.problems.place" . | fromJsonArray) (include "service.problems.vault" . | fromJsonArray) (include "service.problems.process" . | fromJsonArray) (include "service.problems.network" . | fromJsonArray) -}}
{{- $own := printf "%s.problems" .Chart.Name -}}
{{- $problems = concat $problems (include $own . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "service.problems.place" -}}
{{- $problems := list -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- $namespace := include "service.namespace" . -}}
{{- if ne $namespace $facts.namespace -}}
{{- $problems = append $problems (printf "namespace is %s: the identity spiffe://%s/ns/%s/sa/%s has another in it; install with --namespace %s, or set namespace=%s" $namespace .Values.spire.trustDomain $facts.namespace .Chart.Name $facts.namespace $facts.namespace) -}}
{{- end -}}
{{- if and (eq .Values.spire.socket "hostPath") (ne .Values.podSecurity "privileged") -}}
{{- $problems = append $problems (printf "spire.socket is hostPath with podSecurity=%s: such a namespace refuses the volume; set spire.socket=csi, or label the namespace privileged and set podSecurity=privileged" .Values.podSecurity) -}}
{{- end -}}
{{- if and (eq .Values.profile "prod") (hasPrefix "example." .Values.spire.trustDomain) -}}
{{- $problems = append $problems (printf "spire.trustDomain is %s: name the one of your SPIRE servers" .Values.spire.trustDomain) -}}
{{- end -}}
{{- if and (eq .Values.profile "prod") (ne (default "production" .Values.settings.ENVIRONMENT) "production") (ne .Values.settings.ENVIRONMENT "staging") -}}
{{- $problems = append $problems (printf "settings.ENVIRONMENT is %s with profile=prod: set production or staging, or profile=dev" .Values.settings.ENVIRONMENT) -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "service.problems.vault" -}}
{{- $problems := list -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- if $facts.vault -}}
{{- with .Values.vault -}}
{{- if and (eq .mode "agent") (ne .authMethod "kubernetes") -}}
{{- $problems = append $problems (printf "vault.authMethod is %s with vault.mode=agent: the injected agent logs in with a service account token; set vault.authMethod=kubernetes" .authMethod) -}}
{{- end -}}
{{- if and (eq .mode "agent") (not .agent.secrets) -}}
{{- $problems = append $problems "vault.agent.secrets is empty with vault.mode=agent: the agent would write nothing; name files and paths, or set vault.mode=client" -}}
{{- end -}}
{{- if and (eq $.Values.profile "prod") (not .ca.name) (hasSuffix ".svc.cluster.local" (regexReplaceAll ":[0-9]+$" (urlParse .address).host "")) -}}
{{- $problems = append $problems (printf "vault.ca.name is empty with vault.address=%s: no public authority signs such a name; set vault.ca.name to the ConfigMap or Secret with Vault's authority" .address) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "service.problems.process" -}}
{{- $problems := list -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- range $setting := $facts.required -}}
{{- if not (index $.Values.settings $setting) -}}
{{- $problems = append $problems (printf "settings.%s is empty: the process does not start without it" $setting) -}}
{{- end -}}
{{- end -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- $problems = append $problems (printf "autoscaling.minReplicas is %v and autoscaling.maxReplicas %v: the first cannot be more" .minReplicas .maxReplicas) -}}
{{- end -}}
{{- if and .enabled (not (dig "requests" "cpu" "" $.Values.resources)) -}}
{{- $problems = append $problems "resources.requests.cpu is empty with autoscaling.enabled=true: utilisation is a share of it; set it" -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.profile "prod") (not $facts.oneProcess) (lt (include "service.leastReplicas" . | int) 2) -}}
{{- $problems = append $problems (printf "%s is %s: production needs 2, since one alone is away while its node is drained; or set profile=dev" (ternary "autoscaling.minReplicas" "replicas" .Values.autoscaling.enabled) (include "service.leastReplicas" .)) -}}
{{- end -}}
{{- if and $facts.oneProcess (gt (include "service.mostReplicas" . | int) 1) -}}
{{- $problems = append $problems (printf "%s is %s: %s" (ternary "autoscaling.maxReplicas" "replicas" .Values.autoscaling.enabled) (include "service.mostReplicas" .) $facts.oneProcess) -}}
{{- end -}}
{{- $needed := add (int .Values.preStopSleepSeconds) (int $facts.closeSeconds) -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $needed) -}}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds is %v: preStopSleepSeconds and the time to close need %v; set it to that or more" .Values.terminationGracePeriodSeconds $needed) -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "service.problems.network" -}}
{{- $problems := list -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- with .Values.networkPolicy -}}
{{- if .enabled -}}
{{- range $list := list "clients" "egress" -}}
{{- range $index, $peer := get $.Values.networkPolicy $list -}}
{{- if not (or $peer.namespace $peer.cidrs) -}}
{{- $problems = append $problems (printf "networkPolicy.%s[%d] has neither namespace nor cidrs: say where %s is" $list $index $peer.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $ports := list -}}
{{- range .egress -}}{{- $ports = append $ports (toString .port) -}}{{- end -}}
{{- range $facts.backends -}}
{{- $port := toString (index $.Values.settings .port) -}}
{{- if and (index $.Values.settings .host) (not (has $port $ports)) -}}
{{- $problems = append $problems (printf "networkPolicy.egress has nothing with port %s: say where settings.%s is, or set networkPolicy.enabled=false" $port .host) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
