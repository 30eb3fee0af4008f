{{/* Ports of the service and its metrics: a list of name and setting. */}}
{{- define "service.ports" -}}
{{- $facts := include "service.facts" . | fromYaml -}}
{{- append $facts.ports (dict "name" "metrics" "setting" "METRICS_PORT") | toYaml -}}
{{- end -}}

{{- define "service.deployment" -}}
{{- $facts := include "service.facts" . | fromYaml }}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "service.metadata" (list . .Chart.Name "service") | nindent 2 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    {{- if $facts.oneProcess }}
    # What it writes belongs to one process at a time.
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
    {{- end }}
  selector:
    matchLabels:
      {{- include "service.selectorLabels" (list . "service") | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "service.podLabels" (list . "service") | nindent 8 }}
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: service
        {{- if and $facts.vault (eq .Values.vault.mode "agent") }}
        {{- include "service.injectorAnnotations" . | trim | nindent 8 }}
        {{- end }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ .Chart.Name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
      securityContext:
        {{- include "service.podSecurityContext" . | nindent 8 }}
      {{- include "service.placement" (list . "service") | nindent 6 }}
      {{- include "service.spread" . | nindent 6 }}
      containers:
        - name: service
          image: {{ include "service.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          securityContext:
            {{- include "service.containerSecurityContext" . | nindent 12 }}
          env:
            {{- include "service.environment" . | nindent 12 }}
          ports:
            {{- range include "service.ports" . | fromYamlArray }}
            - { name: {{ .name }}, containerPort: {{ index $.Values.settings .setting }}, protocol: TCP }
            {{- end }}
          # It listens once identity, leases and databases are there, which retries may delay by minutes.
          startupProbe:
            httpGet: { path: /health, port: metrics }
            periodSeconds: 5
            failureThreshold: 60
          livenessProbe:
            httpGet: { path: /health, port: metrics }
            periodSeconds: 20
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: { path: /ready, port: metrics }
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 2
          lifecycle:
            preStop:
              sleep: { seconds: {{ .Values.preStopSleepSeconds }} }
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          volumeMounts:
            {{- include "service.mounts" . | nindent 12 }}
      volumes:
        {{- include "service.volumes" . | nindent 8 }}
{{- end -}}
