{{- define "spire.oidcConfig" -}}
{{- $host := include "spire.issuerHost" . -}}
{{- $service := include "spire.oidc" . -}}
{{- $inNamespace := printf "%s.%s" $service .Release.Namespace -}}
{{- $config := dict
  "log_level" .Values.oidc.logLevel
  "log_format" "json"
  "domains" (list $host $service $inNamespace (printf "%s.svc" $inNamespace) (printf "%s.svc.%s" $inNamespace .Values.clusterDomain))
  "jwt_issuer" .Values.jwtIssuer
  "jwks_uri" (printf "%s/keys" .Values.jwtIssuer)
  "set_key_use" true
  "workload_api" (dict
    "socket_path" (printf "%s/agent.sock" .Values.agent.socketFolder)
    "trust_domain" (include "spire.trustDomain" .)
    "poll_interval" "10s")
  "health_checks" (dict "bind_port" 8008 "live_path" "/live" "ready_path" "/ready")
-}}
{{- if eq .Values.oidc.tls.mode "none" -}}
{{- $_ := set $config "insecure_addr" ":8080" -}}
{{- $_ := set $config "allow_insecure_scheme" true -}}
{{- else -}}
{{- $_ := set $config "serving_cert_file" (dict
  "addr" ":8443"
  "cert_file_path" "/run/spire/tls/tls.crt"
  "key_file_path" "/run/spire/tls/tls.key") -}}
{{- end -}}
{{- $config | toPrettyJson -}}
{{- end }}

{{- define "spire.oidcPort" -}}
{{- if eq .Values.oidc.tls.mode "none" }}8080{{ else }}8443{{ end -}}
{{- end }}
