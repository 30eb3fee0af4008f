{{/* What no schema can say: values that contradict each other. Each message names the value and what to set. */}}
{{- define "spire.validate" -}}
{{- $problems := list -}}
{{- $prod := eq .Values.profile "prod" -}}
{{- $domain := include "spire.trustDomain" . -}}
{{- $postgres := eq .Values.database.type "postgres" -}}
{{- $server := .Values.server -}}
{{- $agent := .Values.agent -}}

{{- if regexMatch "(^|\\.)example\\.(org|com|net)$|(^|\\.)example$" $domain -}}
{{- $problems = append $problems (printf "trustDomain=%s is an example's: set a name of your own, it cannot be changed later" $domain) -}}
{{- end -}}
{{- if eq .Values.clusterName "example-cluster" -}}
{{- $problems = append $problems "clusterName=example-cluster is an example's: set the name of this cluster" -}}
{{- end -}}

{{- if and (not $postgres) (gt (int $server.replicas) 1) -}}
{{- $problems = append $problems (printf "server.replicas=%d with database.type=sqlite3: each server would have a database of its own; set database.type=postgres, or server.replicas=1" (int $server.replicas)) -}}
{{- end -}}
{{- if and (not $postgres) (not $server.persistence.enabled) -}}
{{- $problems = append $problems "database.type=sqlite3 with server.persistence.enabled=false: every entry would be lost at a restart; set server.persistence.enabled=true" -}}
{{- end -}}
{{- if $postgres -}}
{{- if not .Values.database.host -}}
{{- $problems = append $problems "database.host is missing: set the address of the PostgreSQL server" -}}
{{- end -}}
{{- $connections := mul (int $server.replicas) (int .Values.database.maxOpenConnections) -}}
{{- if ge (int $connections) (int .Values.database.maxConnections) -}}
{{- $problems = append $problems (printf "database.maxOpenConnections=%d for each of server.replicas=%d is %d, and database.maxConnections=%d: set it so that they stay below" (int .Values.database.maxOpenConnections) (int $server.replicas) (int $connections) (int .Values.database.maxConnections)) -}}
{{- end -}}
{{- if gt (int .Values.database.maxIdleConnections) (int .Values.database.maxOpenConnections) -}}
{{- $problems = append $problems (printf "database.maxIdleConnections=%d is more than database.maxOpenConnections=%d: set it to that or less" (int .Values.database.maxIdleConnections) (int .Values.database.maxOpenConnections)) -}}
{{- end -}}
{{- end -}}

{{- $ca := include "spire.seconds" $server.ca.ttl | int -}}
{{- if lt $ca (mul 6 (include "spire.seconds" $server.svidTtl.x509 | int) | int) -}}
{{- $problems = append $problems (printf "server.ca.ttl=%s is less than six times server.svidTtl.x509=%s: the server would shorten identities; set server.ca.ttl higher" $server.ca.ttl $server.svidTtl.x509) -}}
{{- end -}}
{{- if gt (include "spire.seconds" $server.svidTtl.jwt | int) (include "spire.seconds" $server.svidTtl.x509 | int) -}}
{{- $problems = append $problems (printf "server.svidTtl.jwt=%s is longer than server.svidTtl.x509=%s: a token is a bearer's, set it shorter" $server.svidTtl.jwt $server.svidTtl.x509) -}}
{{- end -}}
{{- with $agent.availabilityTarget -}}
{{- if lt (include "spire.seconds" . | int) 86400 -}}
{{- $problems = append $problems (printf "agent.availabilityTarget=%s is less than 24h, which agents refuse: set it to 24h or more, or leave it empty" .) -}}
{{- end -}}
{{- end -}}

{{- if and (eq $server.keyManager.type "disk") (not $server.persistence.enabled) -}}
{{- $problems = append $problems "server.keyManager.type=disk with server.persistence.enabled=false: keys would be lost at a restart; set server.persistence.enabled=true, or server.keyManager.type=awsKms" -}}
{{- end -}}
{{- if and (eq $server.keyManager.type "awsKms") (not $server.keyManager.awsKms.region) -}}
{{- $problems = append $problems "server.keyManager.awsKms.region is missing: set the region in which the keys are made" -}}
{{- end -}}
{{- if eq $server.upstreamAuthority.type "vault" -}}
{{- $vault := $server.upstreamAuthority.vault -}}
{{- if not (hasPrefix "https://" $vault.address) -}}
{{- $problems = append $problems (printf "server.upstreamAuthority.vault.address=%q is not an https:// address: set Vault's" $vault.address) -}}
{{- end -}}
{{- if not $vault.caSecret.name -}}
{{- $problems = append $problems "server.upstreamAuthority.vault.caSecret.name is missing: set the Secret with the authority of Vault's certificate" -}}
{{- end -}}
{{- end -}}
{{- range $name, $other := $server.federation.federatesWith -}}
{{- if and (eq $other.profile "https_spiffe") (not $other.endpointSpiffeId) -}}
{{- $problems = append $problems (printf "server.federation.federatesWith.%s.endpointSpiffeId is missing: set who serves that bundle, or profile=https_web" $name) -}}
{{- end -}}
{{- end -}}

{{- if and (eq $agent.kubelet.address "localhost") (not $agent.hostNetwork) -}}
{{- $problems = append $problems "agent.kubelet.address=localhost with agent.hostNetwork=false: that is the pod itself; set agent.hostNetwork=true, or agent.kubelet.address=nodeName" -}}
{{- end -}}
{{- if and $agent.hostNetwork (eq (int $agent.ports.health) (int $agent.ports.metrics)) -}}
{{- $problems = append $problems (printf "agent.ports.health and agent.ports.metrics are both %d: set one to another port" (int $agent.ports.health)) -}}
{{- end -}}

{{- $seen := dict -}}
{{- range .Values.entries.workloads -}}
{{- $key := printf "%s/%s" .namespace .serviceAccount -}}
{{- if hasKey $seen $key -}}
{{- $problems = append $problems (printf "entries.workloads has %s twice: take one out" $key) -}}
{{- end -}}
{{- $_ := set $seen $key true -}}
{{- end -}}

{{- if .Values.networkPolicy.enabled -}}
{{- $policy := .Values.networkPolicy -}}
{{- if not $policy.nodeCidrs -}}
{{- $problems = append $problems "networkPolicy.nodeCidrs is missing: set the range of the nodes, where kubelets are, or networkPolicy.enabled=false" -}}
{{- end -}}
{{- if not $policy.apiServer.cidrs -}}
{{- $problems = append $problems "networkPolicy.apiServer.cidrs is missing: set the API server's range, without which no agent attests, or networkPolicy.enabled=false" -}}
{{- end -}}
{{- if and $postgres (not $policy.databaseCidrs) (not $policy.databasePeers) -}}
{{- $problems = append $problems "networkPolicy.databaseCidrs and networkPolicy.databasePeers are missing: set one, where the database is, or networkPolicy.enabled=false" -}}
{{- end -}}
{{- if and (eq $server.keyManager.type "awsKms") (not $policy.awsCidrs) -}}
{{- $problems = append $problems "networkPolicy.awsCidrs is missing: set where KMS and STS are, for server.keyManager.type=awsKms" -}}
{{- end -}}
{{- if and $server.federation.federatesWith (not $policy.federationCidrs) -}}
{{- $problems = append $problems "networkPolicy.federationCidrs is missing: set where the bundle endpoints of server.federation.federatesWith are, 0.0.0.0/0 when nobody can say" -}}
{{- end -}}
{{- if and $server.federation.bundleEndpoint.enabled (not $server.federation.bundleEndpoint.allowedCidrs) -}}
{{- $problems = append $problems "server.federation.bundleEndpoint.allowedCidrs is missing: set who may read the bundle" -}}
{{- end -}}
{{- end -}}

{{- if and .Values.oidc.enabled (eq .Values.oidc.tls.mode "certManager") (not .Values.oidc.tls.issuerRef.name) -}}
{{- $problems = append $problems "oidc.tls.issuerRef.name is missing: set the issuer, or oidc.tls.mode=secret" -}}
{{- end -}}

{{- if $prod -}}
{{- $problems = concat $problems (include "spire.validateProd" . | fromJsonArray) -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThe values of this chart contradict each other:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end }}

{{/* What only a laptop may do. A JSON list. */}}
{{- define "spire.validateProd" -}}
{{- $problems := list -}}
{{- $or := ", or profile=dev" -}}
{{- if lt (int .Values.server.replicas) 2 -}}
{{- $problems = append $problems (printf "server.replicas=%d with profile=prod: nothing is attested while it restarts; set 2 or more%s" (int .Values.server.replicas) $or) -}}
{{- end -}}
{{- if eq .Values.database.type "sqlite3" -}}
{{- $problems = append $problems (printf "database.type=sqlite3 with profile=prod: set database.type=postgres%s" $or) -}}
{{- else if ne .Values.database.sslMode "verify-full" -}}
{{- $problems = append $problems (printf "database.sslMode=%s with profile=prod: set verify-full%s" .Values.database.sslMode $or) -}}
{{- end -}}
{{- if eq .Values.server.keyManager.type "memory" -}}
{{- $problems = append $problems (printf "server.keyManager.type=memory with profile=prod: every restart makes another authority; set disk or awsKms%s" $or) -}}
{{- end -}}
{{- if .Values.agent.insecureBootstrap -}}
{{- $problems = append $problems (printf "agent.insecureBootstrap=true with profile=prod: agents would trust whoever answers; set false%s" $or) -}}
{{- end -}}
{{- if eq .Values.agent.kubelet.verification "skip" -}}
{{- $problems = append $problems (printf "agent.kubelet.verification=skip with profile=prod: whoever answers as the kubelet decides who a workload is; set apiServerCa or hostCert%s" $or) -}}
{{- end -}}
{{- if .Values.oidc.enabled -}}
{{- if eq .Values.oidc.tls.mode "none" -}}
{{- $problems = append $problems (printf "oidc.tls.mode=none with profile=prod: keys that verify tokens must not travel in the clear; set certManager or secret%s" $or) -}}
{{- end -}}
{{- if eq .Values.oidc.socket "hostPath" -}}
{{- $problems = append $problems (printf "oidc.socket=hostPath with profile=prod: Pod Security restricted forbids the volume; set csi%s" $or) -}}
{{- end -}}
{{- end -}}
{{- $problems | toJson -}}
{{- end }}
