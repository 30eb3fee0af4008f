{{- define "spire.agentConfig" -}}
{{- $values := .Values.agent -}}
{{- $agent := dict
  "trust_domain" (include "spire.trustDomain" .)
  "server_address" (include "spire.serverAddress" .)
  "server_port" 8081
  "socket_path" (printf "%s/agent.sock" $values.socketFolder)
  "data_dir" $values.dataFolder
  "log_level" $values.logLevel
  "log_format" "json"
  "rebootstrap_mode" $values.rebootstrapMode
  "x509_svid_cache_max_size" $values.svidCacheSize
  "sds" (dict
    "default_svid_name" $values.sds.defaultSvidName
    "default_bundle_name" $values.sds.defaultBundleName
    "default_all_bundles_name" $values.sds.defaultAllBundlesName)
-}}
{{- if $values.insecureBootstrap -}}
{{- $_ := set $agent "insecure_bootstrap" true -}}
{{- else -}}
{{- $_ := set $agent "trust_bundle_path" (printf "/run/spire/bundle/%s" .Values.bundle.key) -}}
{{- end -}}
{{- with $values.availabilityTarget }}{{ $_ := set $agent "availability_target" . }}{{ end -}}
{{- with $values.authorizedDelegates }}{{ $_ := set $agent "authorized_delegates" . }}{{ end -}}
{{- with $values.experimental }}{{ $_ := set $agent "experimental" . }}{{ end -}}

{{- $kubelet := dict "use_new_container_locator" true -}}
{{- if eq $values.kubelet.address "nodeName" }}{{ $_ := set $kubelet "node_name_env" "MY_NODE_NAME" }}{{ end -}}
{{- if eq $values.kubelet.verification "skip" -}}
{{- $_ := set $kubelet "skip_kubelet_verification" true -}}
{{- else if eq $values.kubelet.verification "hostCert" -}}
{{- $_ := set $kubelet "kubelet_ca_path" "/run/spire/kubelet/kubelet.crt" -}}
{{- else -}}
{{- $_ := set $kubelet "kubelet_ca_path" "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt" -}}
{{- end -}}
{{- $attestors := dict "k8s" (dict "plugin_data" $kubelet) -}}
{{- if $values.unixAttestor }}{{ $_ := set $attestors "unix" (dict "plugin_data" (dict "discover_workload_path" true)) }}{{ end -}}

{{- $keys := include "spire.plugin" (list "memory" dict) | fromJson -}}
{{- if eq $values.keyManager "disk" }}{{ $keys = include "spire.plugin" (list "disk" (dict "directory" $values.dataFolder)) | fromJson }}{{ end -}}

{{- dict
  "agent" $agent
  "plugins" (dict
    "NodeAttestor" (include "spire.plugin" (list "k8s_psat" (dict
      "cluster" .Values.clusterName
      "token_path" "/var/run/secrets/tokens/spire-agent")) | fromJson)
    "KeyManager" $keys
    "WorkloadAttestor" $attestors)
  "health_checks" (dict "listener_enabled" true "bind_address" "0.0.0.0" "bind_port" ($values.ports.health | toString) "live_path" "/live" "ready_path" "/ready")
  "telemetry" (dict "Prometheus" (dict "host" "0.0.0.0" "port" $values.ports.metrics))
  | toPrettyJson -}}
{{- end }}
