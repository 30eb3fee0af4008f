{{- define "vault.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough that every name made of it, and the pods', stays below 63 characters. */}}
{{- define "vault.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "vault.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "vault.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of objects without a namespace: two installations must not share one. */}}
{{- define "vault.clusterWideName" -}}
{{- printf "%s-%s" .Release.Namespace (include "vault.fullname" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "vault.internalService" -}}
{{- include "vault.fullname" . }}-internal
{{- end -}}

{{/* Without the namespace's domain: the headless service's search path resolves it for the servers themselves. */}}
{{- define "vault.peerHost" -}}
{{- $root := index . 0 -}}
{{- $ordinal := index . 1 -}}
{{- printf "%s-%v.%s" (include "vault.fullname" $root) $ordinal (include "vault.internalService" $root) -}}
{{- end -}}

{{- define "vault.domain" -}}
{{- printf "%s.svc.%s" .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{- define "vault.scheme" -}}
{{- ternary "https" "http" .Values.tls.enabled -}}
{{- end -}}

{{/* How everybody but the servers calls them. */}}
{{- define "vault.address" -}}
{{- printf "%s://%s.%s:8200" (include "vault.scheme" .) (include "vault.fullname" .) (include "vault.domain" .) -}}
{{- end -}}

{{- define "vault.program" -}}
{{- ternary "bao" "vault" (eq .Values.server.product "openbao") -}}
{{- end -}}

{{/* The label with which the active server marks its pod. */}}
{{- define "vault.activeLabel" -}}
{{- ternary "openbao-active" "vault-active" (eq .Values.server.product "openbao") -}}
{{- end -}}

{{- define "vault.tlsFolder" -}}
/vault/userconfig/{{ .Values.tls.secretName }}
{{- end -}}

{{- define "vault.caFile" -}}
{{ include "vault.tlsFolder" . }}/ca.crt
{{- end -}}

{{/* Every name a server is called by; cert-manager puts them into its certificate. */}}
{{- define "vault.dnsNames" -}}
{{- $names := list -}}
{{- $suffixes := list "" (printf ".%s" .Release.Namespace) (printf ".%s.svc" .Release.Namespace) (printf ".%s" (include "vault.domain" .)) -}}
{{- range $service := list "" "-active" "-standby" "-ui" -}}
{{- range $suffix := $suffixes -}}
{{- $names = append $names (printf "%s%s%s" (include "vault.fullname" $) $service $suffix) -}}
{{- end -}}
{{- end -}}
{{- range $suffix := $suffixes -}}
{{- $names = append $names (printf "*.%s%s" (include "vault.internalService" $) $suffix) -}}
{{- end -}}
{{- range $ordinal := until (int .Values.server.replicas) -}}
{{- $names = append $names (include "vault.peerHost" (list $ $ordinal)) -}}
{{- end -}}
{{- concat $names (list "localhost") .Values.tls.certificate.extraDnsNames | uniq | toJson -}}
{{- end -}}
