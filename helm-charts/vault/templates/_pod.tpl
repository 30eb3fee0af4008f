{{/* uid and gid are those of the Vault and OpenBao images; everything of this chart runs as them. */}}
{{- define "vault.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 100
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "vault.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The identity at AWS. Arguments: root and the service account's values. EKS adds the same by itself for irsa. */}}
{{- define "vault.awsEnv" -}}
{{- $root := index . 0 -}}
{{- $account := index . 1 -}}
{{- if $root.Values.aws.region }}
- name: AWS_REGION
  value: {{ $root.Values.aws.region | quote }}
- name: AWS_STS_REGIONAL_ENDPOINTS
  value: regional
{{- end }}
{{- if eq $root.Values.aws.webIdentity "projected" }}
- name: AWS_ROLE_ARN
  value: {{ $account.roleArn | quote }}
- name: AWS_WEB_IDENTITY_TOKEN_FILE
  value: /var/run/secrets/aws/token
{{- end }}
{{- with $root.Values.aws.endpoints }}
{{- range $variable, $endpoint := dict "AWS_ENDPOINT_URL_SECRETS_MANAGER" .secretsManager "AWS_ENDPOINT_URL_S3" .s3 "AWS_ENDPOINT_URL_STS" .sts }}
{{- if $endpoint }}
- name: {{ $variable }}
  value: {{ $endpoint | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "vault.awsVolumeMount" -}}
{{- if eq .Values.aws.webIdentity "projected" }}
- name: aws-token
  mountPath: /var/run/secrets/aws
  readOnly: true
{{- end }}
{{- end -}}

{{- define "vault.awsVolume" -}}
{{- if eq .Values.aws.webIdentity "projected" }}
- name: aws-token
  projected:
    sources:
      - serviceAccountToken:
          audience: sts.amazonaws.com
          expirationSeconds: 3600
          path: token
{{- end }}
{{- end -}}

{{/* Only the certificate authority: a Job has no use for the servers' key. */}}
{{- define "vault.caVolume" -}}
{{- if .Values.tls.enabled }}
- name: vault-ca
  secret:
    secretName: {{ .Values.tls.secretName }}
    defaultMode: 0440
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- end -}}

{{- define "vault.caVolumeMount" -}}
{{- if .Values.tls.enabled }}
- name: vault-ca
  mountPath: {{ include "vault.tlsFolder" . }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "vault.serviceAccountAnnotations" -}}
{{- $root := index . 0 -}}
{{- $account := index . 1 -}}
{{- $annotations := deepCopy $account.annotations -}}
{{- if and $account.roleArn (eq $root.Values.aws.webIdentity "irsa") -}}
{{- $_ := set $annotations "eks.amazonaws.com/role-arn" $account.roleArn -}}
{{- end -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
