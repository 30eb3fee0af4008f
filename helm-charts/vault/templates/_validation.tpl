{{/* Values that are missing or contradict each other, all at once: each with its name and what to do. */}}
{{- define "vault.validate" -}}
{{- $problems := concat (include "vault.problems.server" . | fromJsonArray) (include "vault.problems.aws" . | fromJsonArray) (include "vault.problems.jobs" . | fromJsonArray) (include "vault.problems.network" . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "vault.problems.server" -}}
{{- $problems := list -}}
{{- $production := eq .Values.profile "prod" -}}
{{- $replicas := int .Values.server.replicas -}}
{{- if and $production (lt $replicas 3) -}}
{{- $problems = append $problems (printf "server.replicas is %d: production needs 3 or more, since one alone is lost with its node; or set profile=dev" $replicas) -}}
{{- end -}}
{{- if and $production (not .Values.tls.enabled) -}}
{{- $problems = append $problems "tls.enabled is false: production serves TLS; set it to true, or profile=dev" -}}
{{- end -}}
{{- if and $production (not (or .Values.audit.file.enabled .Values.audit.stdout.enabled)) -}}
{{- $problems = append $problems "audit.file.enabled and audit.stdout.enabled are false: production keeps an audit log; turn on at least one" -}}
{{- end -}}
{{- if and (gt $replicas 1) (gt (int .Values.server.raft.autopilot.minQuorum) $replicas) -}}
{{- $problems = append $problems (printf "server.raft.autopilot.minQuorum is %v with server.replicas=%d: it cannot be more than the servers there are" .Values.server.raft.autopilot.minQuorum $replicas) -}}
{{- end -}}
{{- if le (int .Values.server.terminationGracePeriodSeconds) (add (int .Values.server.preStopSleepSeconds) 10 | int) -}}
{{- $problems = append $problems (printf "server.terminationGracePeriodSeconds is %v: it must be more than server.preStopSleepSeconds and 10 s to step down" .Values.server.terminationGracePeriodSeconds) -}}
{{- end -}}
{{- if and .Values.tls.enabled .Values.tls.certificate.create (not .Values.tls.certificate.issuerRef.name) -}}
{{- $problems = append $problems "tls.certificate.issuerRef.name is empty: name the cert-manager issuer, or set tls.certificate.create=false and bring the Secret tls.secretName" -}}
{{- end -}}
{{- if and .Values.injector.enabled (eq .Values.injector.failurePolicy "Fail") (or (has .Release.Namespace .Values.clientNamespaces) (has "kube-system" .Values.clientNamespaces)) -}}
{{- $problems = append $problems (printf "clientNamespaces has %s or kube-system with injector.failurePolicy=Fail: the pods the injector needs could not start; take it out" .Release.Namespace) -}}
{{- end -}}
{{- if and .Values.injector.enabled (not .Values.clientNamespaces) -}}
{{- $problems = append $problems "clientNamespaces is empty with injector.enabled=true: name the namespaces whose pods get agents" -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "vault.problems.aws" -}}
{{- $problems := list -}}
{{- $production := eq .Values.profile "prod" -}}
{{- $key := .Values.seal.awskms.kmsKeyId -}}
{{- if eq .Values.seal.type "awskms" -}}
{{- if not .Values.aws.region -}}
{{- $problems = append $problems "aws.region is empty with seal.type=awskms: set it to the region of the unseal key, for instance us-east-1" -}}
{{- end -}}
{{- if not $key -}}
{{- $problems = append $problems "seal.awskms.kmsKeyId is empty: set it to terraform's output vault_kms_key_id" -}}
{{- else if and (hasPrefix "arn:" $key) .Values.aws.region (ne (index (splitList ":" $key) 3) .Values.aws.region) -}}
{{- $problems = append $problems (printf "seal.awskms.kmsKeyId is a key of %s and aws.region is %s: name the same region" (index (splitList ":" $key) 3) .Values.aws.region) -}}
{{- end -}}
{{- if and (eq .Values.server.product "openbao") (semverCompare ">=2.7.0-0" .Values.server.version) -}}
{{- $problems = append $problems (printf "server.version is %s: OpenBao from 2.7 on has no awskms seal built in; use 2.6.x, or Vault, or another seal" .Values.server.version) -}}
{{- end -}}
{{- else -}}
{{- if $key -}}
{{- $problems = append $problems (printf "seal.awskms.kmsKeyId is set with seal.type=%s: set seal.type=awskms or leave the key out" .Values.seal.type) -}}
{{- end -}}
{{- if $production -}}
{{- $problems = append $problems (printf "seal.type is %s: production unseals by itself after a restart; set awskms, or profile=dev" .Values.seal.type) -}}
{{- end -}}
{{- if .Values.init.enabled -}}
{{- $problems = append $problems "init.enabled is true with seal.type=shamir: the unseal keys would have to stay in the cluster; set init.enabled=false and initialise by hand" -}}
{{- end -}}
{{- end -}}
{{- if ne .Values.aws.webIdentity "none" -}}
{{- $accounts := dict "server.serviceAccount" (and (or (eq .Values.seal.type "awskms") .Values.audit.shipper.enabled) .Values.server.serviceAccount) "init.serviceAccount" (and .Values.init.enabled .Values.init.serviceAccount) "snapshot.serviceAccount" (and .Values.snapshot.enabled .Values.snapshot.serviceAccount) -}}
{{- range $name, $account := $accounts -}}
{{- if and $account (not $account.roleArn) -}}
{{- $problems = append $problems (printf "%s.roleArn is empty: set it to terraform's output vault_%s_role_arn, or aws.webIdentity=none" $name (first (splitList "." $name))) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.init.serviceAccount.roleArn (eq .Values.init.serviceAccount.roleArn .Values.server.serviceAccount.roleArn) -}}
{{- $problems = append $problems "init.serviceAccount.roleArn equals server.serviceAccount.roleArn: the servers must not reach the root token; give the init Job a role of its own" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.init.enabled (eq .Values.init.serviceAccount.name .Values.server.serviceAccount.name) -}}
{{- $problems = append $problems "init.serviceAccount.name equals server.serviceAccount.name: give the init Job an account of its own" -}}
{{- end -}}
{{- if and (or .Values.init.enabled .Values.snapshot.enabled .Values.audit.shipper.enabled) (ne .Values.seal.type "awskms") (not .Values.aws.region) -}}
{{- $problems = append $problems "aws.region is empty with init, snapshot or audit.shipper enabled: set it to the region of the secrets and buckets" -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "vault.problems.jobs" -}}
{{- $problems := list -}}
{{- if .Values.init.enabled -}}
{{- if gt (int .Values.init.recoveryThreshold) (int .Values.init.recoveryShares) -}}
{{- $problems = append $problems (printf "init.recoveryThreshold is %v with init.recoveryShares=%v: there would never be enough keys" .Values.init.recoveryThreshold .Values.init.recoveryShares) -}}
{{- end -}}
{{- range $secret := list "recoveryKeys" "rootToken" -}}
{{- if not (get $.Values.init.secrets $secret) -}}
{{- $problems = append $problems (printf "init.secrets.%s is empty: set it to the name or ARN of the secret that terraform made for it" $secret) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (or .Values.bootstrap.enabled .Values.init.enabled) (not .Values.server.authDelegator) -}}
{{- $problems = append $problems "server.authDelegator is false with init or bootstrap enabled: nobody could log in by the kubernetes method; set it to true" -}}
{{- end -}}
{{- if and .Values.bootstrap.enabled (ne .Release.Namespace "vault") -}}
{{- $problems = append $problems (printf "bootstrap.enabled is true in namespace %s: its role in Vault is bound to the namespace vault; install there, or set bootstrap.enabled=false" .Release.Namespace) -}}
{{- end -}}
{{- if and .Values.snapshot.enabled (not .Values.snapshot.bucket) -}}
{{- $problems = append $problems "snapshot.bucket is empty: set it to terraform's output vault_snapshots_bucket_name, or set snapshot.enabled=false and take snapshots another way" -}}
{{- end -}}
{{- if .Values.audit.shipper.enabled -}}
{{- if not .Values.audit.shipper.bucket -}}
{{- $problems = append $problems "audit.shipper.bucket is empty with audit.shipper.enabled=true: set it to terraform's output vault_audit_logs_bucket_name" -}}
{{- end -}}
{{- if not .Values.audit.file.enabled -}}
{{- $problems = append $problems "audit.shipper.enabled is true and audit.file.enabled false: there is no file to ship; turn both on" -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}

{{- define "vault.problems.network" -}}
{{- $problems := list -}}
{{- $policy := .Values.networkPolicy -}}
{{- if $policy.enabled -}}
{{- if not $policy.apiServer.cidrs -}}
{{- $problems = append $problems "networkPolicy.apiServer.cidrs is empty: set it to the API server's addresses (on EKS the cluster's subnets); no label selects it" -}}
{{- end -}}
{{- if and (not $policy.aws.cidrs) (or (eq .Values.seal.type "awskms") .Values.init.enabled .Values.snapshot.enabled .Values.audit.shipper.enabled) -}}
{{- $problems = append $problems "networkPolicy.aws.cidrs is empty: set it to the addresses of KMS, STS, Secrets Manager and S3 (the VPC endpoints' subnets)" -}}
{{- end -}}
{{- range $list := list "databases" "extraClients" -}}
{{- range $index, $peer := get $policy $list -}}
{{- if not (or $peer.namespace $peer.cidrs) -}}
{{- $problems = append $problems (printf "networkPolicy.%s[%d] has neither namespace nor cidrs: say where %s is" $list $index $peer.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end -}}
