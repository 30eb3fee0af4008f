{{/* Every registration entry as JSON: name, and the arguments that create and update share. */}}
{{- define "spire.entryList" -}}
{{- $root := . -}}
{{- $domain := include "spire.trustDomain" . -}}
{{- /* Agents have an id a node; entries name all of them by this one, so that a new node needs no new entry. */ -}}
{{- $nodes := printf "spiffe://%s/cluster/%s" $domain .Values.clusterName -}}
{{- $list := list (dict "name" "nodes" "arguments" (list
  "-entryID" (printf "%s.nodes" .Values.clusterName)
  "-parentID" (printf "spiffe://%s/spire/server" $domain)
  "-spiffeID" $nodes
  "-selector" (printf "k8s_psat:cluster:%s" .Values.clusterName)
  "-selector" (printf "k8s_psat:agent_ns:%s" (include "spire.agentNamespace" .))
  "-selector" (printf "k8s_psat:agent_sa:%s" (include "spire.agent" .)))) -}}
{{- $workloads := .Values.entries.workloads -}}
{{- if .Values.oidc.enabled -}}
{{- $workloads = append $workloads (dict "namespace" .Release.Namespace "serviceAccount" (include "spire.oidc" .)) -}}
{{- end -}}
{{- range $workload := $workloads -}}
{{- $arguments := list
  "-entryID" (printf "%s.%s.%s" $root.Values.clusterName $workload.namespace $workload.serviceAccount)
  "-parentID" $nodes
  "-spiffeID" (printf "spiffe://%s/ns/%s/sa/%s" $domain $workload.namespace $workload.serviceAccount)
  "-selector" (printf "k8s:ns:%s" $workload.namespace)
  "-selector" (printf "k8s:sa:%s" $workload.serviceAccount) -}}
{{- range $workload.selectors }}{{ $arguments = concat $arguments (list "-selector" .) }}{{ end -}}
{{- range $workload.dnsNames }}{{ $arguments = concat $arguments (list "-dns" .) }}{{ end -}}
{{- range $workload.federatesWith }}{{ $arguments = concat $arguments (list "-federatesWith" (printf "spiffe://%s" .)) }}{{ end -}}
{{- with $workload.x509SvidTtl }}{{ $arguments = concat $arguments (list "-x509SVIDTTL" (include "spire.seconds" .)) }}{{ end -}}
{{- with $workload.jwtSvidTtl }}{{ $arguments = concat $arguments (list "-jwtSVIDTTL" (include "spire.seconds" .)) }}{{ end -}}
{{- $list = append $list (dict "name" (printf "%s-%s" ($workload.serviceAccount | replace "." "-" | trunc 40) (printf "%s:%s" $workload.namespace $workload.serviceAccount | sha256sum | trunc 8)) "arguments" $arguments) -}}
{{- end -}}
{{- $list | toJson -}}
{{- end }}

{{/* One run of the server's own program in a server's pod. Call with (list . name arguments). */}}
{{- define "spire.entryContainer" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
image: {{ include "spire.image" (list $root $root.Values.entries.image) }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: [kubectl]
args:
  {{- range concat (list "exec" (printf "--namespace=%s" $root.Release.Namespace) (printf "%s-0" (include "spire.server" $root)) "--container=spire-server" "--" "/opt/spire/bin/spire-server" "entry") (index . 2) }}
  - {{ . | quote }}
  {{- end }}
resources: {{- toYaml $root.Values.entries.resources | nindent 2 }}
securityContext: {{- include "spire.restrictedContainer" $root | nindent 2 }}
env:
  - { name: HOME, value: /tmp }
volumeMounts:
  - name: cache
    mountPath: /tmp
{{- end }}

{{- define "spire.entryPod" -}}
metadata:
  labels: {{- include "spire.labels" (list . "entries") | nindent 4 }}
spec:
  serviceAccountName: {{ include "spire.entries" . }}
  automountServiceAccountToken: true
  restartPolicy: OnFailure
  {{- with include "spire.pullSecrets" . | trim }}{{ nindent 2 . }}{{ end }}
  securityContext: {{- include "spire.restrictedPod" . | nindent 4 }}
  initContainers:
    - name: wait-for-server
      image: {{ include "spire.image" (list . .Values.entries.image) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [kubectl]
      args:
        - wait
        - --namespace={{ .Release.Namespace }}
        - --for=condition=Ready
        - pod/{{ include "spire.server" . }}-0
        - --timeout={{ .Values.entries.deadlineSeconds }}s
      resources: {{- toYaml .Values.entries.resources | nindent 8 }}
      securityContext: {{- include "spire.restrictedContainer" . | nindent 8 }}
      env:
        - { name: HOME, value: /tmp }
      volumeMounts:
        - name: cache
          mountPath: /tmp
    {{- $list := include "spire.entryList" . | fromJsonArray }}
    {{- range $index, $entry := $list }}
    # With `-output json` an entry that exists already is no error. `update` says whether it is there and as wanted.
    - {{ include "spire.entryContainer" (list $ (printf "create-%s" $entry.name) (concat (list "create" "-output" "json") $entry.arguments)) | nindent 6 | trim }}
    {{- if lt (add1 $index) (len $list) }}
    - {{ include "spire.entryContainer" (list $ (printf "update-%s" $entry.name) (concat (list "update") $entry.arguments)) | nindent 6 | trim }}
    {{- end }}
    {{- end }}
  containers:
    {{- $entry := last $list }}
    - {{ include "spire.entryContainer" (list $ (printf "update-%s" $entry.name) (concat (list "update") $entry.arguments)) | nindent 6 | trim }}
  volumes:
    - name: cache
      emptyDir: {}
{{- end }}
