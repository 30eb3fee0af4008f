import { deepEqual, equal, ok } from 'node:assert/strict';
import { at, listAt, type Manifests, under } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { blocksOf } from '../hcl.ts';
import {
  changedOfSet,
  configBlock,
  environment,
  inConfig,
  listener,
  SERVER_LABELS,
  serverConfig,
  serverSet,
  VAULT,
  withoutOfSet,
} from '../server-pod.ts';

const ALERTS = [
  'VaultSealed',
  'VaultWithoutLeader',
  'VaultServerMissing',
  'VaultAutopilotUnhealthy',
  'VaultAuditFailing',
  'VaultManyLeases',
  'VaultDiskFilling',
  'VaultSnapshotOld',
  'VaultCertificateExpiring',
];

/** The names of the metrics that the alerts read, where the servers are the ones who make them. */
export function alertedMetrics(manifests: Manifests): readonly string[] {
  const text = listAt(manifests.get('PrometheusRule', 'vault'), 'spec.groups.0.rules').map((rule) => at(rule, 'expr'));
  return [...new Set(text.join('\n').match(/\bvault_[a-z_]+/g) ?? [])];
}

const endpoint = (manifests: Manifests): unknown => manifests.at('ServiceMonitor', 'vault', 'spec.endpoints.0');

function unauthenticated(manifests: Manifests, port: number): unknown {
  const [telemetry] = blocksOf(listener(manifests, port).body, 'telemetry');
  return telemetry?.body.attributes.unauthenticated_metrics_access;
}

/** Points 31 and 32. */
export const TELEMETRY_RULES: readonly Rule[] = [
  {
    id: 'vault-31',
    what: 'Prometheus scrapes every server on a listener that only it reaches, verified, and what goes wrong is told',
    assert: (manifests) => {
      equal(unauthenticated(manifests, 8202), true);
      equal(unauthenticated(manifests, 8200), undefined, 'the API’s listener shows metrics to anybody');
      deepEqual(configBlock(manifests, 'telemetry').body.attributes, {
        prometheus_retention_time: '24h',
        disable_hostname: true,
      });
      equal(at(serverSet(manifests), `${VAULT}.ports.name=metrics.containerPort`), 8202);
      const { port, path, scheme, tlsConfig, params } = endpoint(manifests) as Record<string, unknown>;
      deepEqual([port, path, scheme], ['metrics', '/v1/sys/metrics', 'https']);
      deepEqual(at(params, 'format'), ['prometheus']);
      deepEqual(at(tlsConfig, 'ca.secret'), { name: 'vault-tls', key: 'ca.crt' });
      const names = listAt(manifests.get('Certificate', 'vault-tls'), 'spec.dnsNames');
      ok(names.includes(at(tlsConfig, 'serverName')), 'the certificate does not have the name that is verified');
      equal(at(tlsConfig, 'insecureSkipVerify'), undefined);
      // Standbys and sealed servers too: by the headless service, and by it alone.
      const wanted = at(manifests.get('ServiceMonitor', 'vault'), 'spec.selector.matchLabels') as Record<
        string,
        string
      >;
      const matching = manifests
        .of('Service')
        .filter(({ metadata }) => Object.entries(wanted).every(([name, value]) => metadata.labels?.[name] === value));
      deepEqual(
        matching.map(({ metadata }) => metadata.name),
        ['vault-internal'],
      );
      equal(manifests.at('Service', 'vault-internal', 'spec.ports.name=metrics.port'), 8202);
      deepEqual(manifests.at('Service', 'vault-internal', 'spec.selector'), SERVER_LABELS);
      const alerts = listAt(manifests.get('PrometheusRule', 'vault'), 'spec.groups.0.rules');
      for (const alert of ALERTS) {
        ok(
          alerts.some((rule) => at(rule, 'alert') === alert && at(rule, 'expr') !== undefined),
          `no alert ${alert}`,
        );
      }
    },
    mutations: [
      inConfig(/unauthenticated_metrics_access = true/, ''),
      inConfig(/max_request_duration = "90s"/, 'telemetry { unauthenticated_metrics_access = true }'),
      inConfig(/prometheus_retention_time = "24h"/, ''),
      withoutOfSet(`${VAULT}.ports.name=metrics`),
      withoutManifest('ServiceMonitor', 'vault'),
      changed('ServiceMonitor', 'vault', 'spec.endpoints.0.tlsConfig.insecureSkipVerify', true),
      changed('ServiceMonitor', 'vault', 'spec.endpoints.0.tlsConfig.serverName', 'vault.example'),
      without('ServiceMonitor', 'vault', 'spec.endpoints.0.params'),
      changed('ServiceMonitor', 'vault', 'spec.endpoints.0.scheme', 'http'),
      without('ServiceMonitor', 'vault', under('spec.selector.matchLabels', 'neural-hive.local/service')),
      without('Service', 'vault-internal', 'spec.ports.name=metrics'),
      ...ALERTS.map((alert) => without('PrometheusRule', 'vault', `spec.groups.0.rules.alert=${alert}`)),
    ],
  },
  {
    id: 'vault-32',
    what: 'the interface, the cluster’s name, JSON logs and lease limits are set; raw storage and introspection are off',
    assert: (manifests) => {
      const { attributes } = serverConfig(manifests);
      equal(attributes.ui, true);
      equal(attributes.cluster_name, 'neural-hive');
      equal(attributes.default_lease_ttl, '1h');
      equal(attributes.max_lease_ttl, '768h');
      equal(attributes.raw_storage_endpoint, false);
      equal(attributes.introspection_endpoint, false);
      equal(attributes.disable_sealwrap, undefined);
      const variables = environment(at(serverSet(manifests), VAULT));
      deepEqual([variables.VAULT_LOG_FORMAT, variables.VAULT_LOG_LEVEL], ['json', 'info']);
    },
    mutations: [
      inConfig(/ui +[=] true/, ''),
      inConfig(/cluster_name +[=] "neural-hive"/, ''),
      inConfig(/max_lease_ttl +[=] "768h"/, ''),
      inConfig(/raw_storage_endpoint +[=] false/, 'raw_storage_endpoint = true'),
      inConfig(/introspection_endpoint = false/, ''),
      changedOfSet(`${VAULT}.env.name=VAULT_LOG_FORMAT.value`, 'standard'),
    ],
  },
];
