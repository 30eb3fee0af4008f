{{/* Everything that every service has. */}}
{{- define "service.manifests" -}}
{{- include "service.validate" . -}}
{{- range $template := list "serviceAccount" "service" "deployment" "claim" "autoscaler" "disruptionBudget" "networkPolicy" "monitor" "test" }}
{{- $manifest := include (printf "service.%s" $template) $ | trim }}
{{- if $manifest }}
---
{{ $manifest }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "service.metadata" (list . .Chart.Name "service") | nindent 2 }}
  {{- with .Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "service.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "service.metadata" (list . .Chart.Name "service") | nindent 2 }}
  {{- with .Values.serviceAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: ClusterIP
  selector:
    {{- include "service.selectorLabels" (list . "service") | nindent 4 }}
  ports:
    {{- range include "service.ports" . | fromYamlArray }}
    - { name: {{ .name }}, port: {{ index $.Values.settings .setting }}, targetPort: {{ .name }}, protocol: TCP }
    {{- end }}
{{- end -}}

{{- define "service.claim" -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- if and $facts.data .Values.persistence.enabled (not .Values.persistence.existingClaim) }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "service.metadata" (list . .Chart.Name "service") | nindent 2 }}
  annotations:
    # Taken away by hand only.
    helm.sh/resource-policy: keep
spec:
  accessModes: [{{ .Values.persistence.accessMode }}]
  {{- with .Values.persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests: { storage: {{ .Values.persistence.size }} }
{{- end }}
{{- end -}}

{{- define "service.autoscaler" -}}
{{- with .Values.autoscaling }}
{{- if .enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "service.metadata" (list $ $.Chart.Name "service") | nindent 2 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ $.Chart.Name }} }
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ .targetCpuPercent }} }
  behavior:
    scaleDown:
      stabilizationWindowSeconds: {{ .scaleDownSeconds }}
      policies:
        - { type: Pods, value: 1, periodSeconds: 60 }
{{- end }}
{{- end }}
{{- end -}}

{{/* With one replica an eviction could only be refused, and so would be the drain of its node. */}}
{{- define "service.disruptionBudget" -}}
{{- if gt (include "service.leastReplicas" . | int) 1 }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "service.metadata" (list . .Chart.Name "service") | nindent 2 }}
spec:
  maxUnavailable: {{ .Values.maxUnavailable }}
  # A pod that does not get ready must not hold up the drain of a node.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "service.selectorLabels" (list . "service") | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "service.leastReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{- define "service.mostReplicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{- define "service.monitor" -}}
{{- with .Values.metrics.serviceMonitor }}
{{- if .enabled }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "service.metadata" (list $ $.Chart.Name "service") | nindent 2 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "service.selectorLabels" (list $ "service") | nindent 6 }}
  namespaceSelector:
    matchNames: [{{ include "service.namespace" $ }}]
  endpoints:
    - port: metrics
      path: /metrics
      scheme: http
      interval: {{ .interval }}
      scrapeTimeout: {{ .scrapeTimeout }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A Job, so that what runs it needs no kubelet's word about a bare pod. */}}
{{- define "service.test" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "service.metadata" (list . (printf "%s-test" .Chart.Name) "test") | nindent 2 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 2
  activeDeadlineSeconds: 120
  template:
    metadata:
      labels:
        {{- include "service.podLabels" (list . "test") | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ .Chart.Name }}
      automountServiceAccountToken: false
      securityContext:
        {{- include "service.podSecurityContext" . | nindent 8 }}
      {{- include "service.placement" (list . "test") | nindent 6 }}
      containers:
        - name: ready
          image: {{ include "service.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          securityContext:
            {{- include "service.containerSecurityContext" . | nindent 12 }}
          command:
            {{- toYaml .Values.test.command | nindent 12 }}
          args:
            - --input-type=module
            - --eval
            - |
              const answer = await fetch('http://{{ .Chart.Name }}:{{ .Values.settings.METRICS_PORT }}/ready');
              console.log(answer.status, await answer.text());
              process.exit(answer.status === 200 ? 0 : 1);
          resources:
            requests: { cpu: 20m, memory: 64Mi }
            limits: { memory: 128Mi }
{{- end -}}
