import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { AUDIENCES } from '@neural-hive/contracts';
import { at, listAt, type Manifest, type Manifests } from '../../manifests.ts';
import { changed, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, reconfigured } from '../configuration.ts';
import { POD, volumeAt } from './pods.ts';

const SERVER = ['StatefulSet', 'spire-server'] as const;
const CONTAINER = `${POD}.containers.name=spire-server`;

const plugin = (manifests: Manifests, path: string): unknown =>
  at(configuration(manifests, 'spire-server'), `plugins.${path}.plugin_data`);

/** The service account that the subjects of a binding name. */
function _isBoundTo(binding: Manifest, name: string, namespace: string): void {
  deepEqual(binding.subjects, [{ kind: 'ServiceAccount', name, namespace }]);
}

const SQL = 'plugins.DataStore.sql.plugin_data';

/** The disk key manager, which the chart has by default. */
export const DISK_RULES: readonly Rule[] = [
  {
    id: 'spire-7, disk',
    what: 'keys on disk are on a claim that outlives the pod and the StatefulSet',
    assert: (manifests) => {
      const managers = at(configuration(manifests, 'spire-server'), 'plugins.KeyManager');
      deepEqual(Object.keys(managers as object), ['disk']);
      const volume = volumeAt(manifests.get(...SERVER), String(at(managers, 'disk.plugin_data.keys_path')));
      ok(at(volume, 'persistentVolumeClaim') !== undefined, 'keys are not on a claim');
      deepEqual(manifests.at(...SERVER, 'spec.persistentVolumeClaimRetentionPolicy'), {
        whenDeleted: 'Retain',
        whenScaled: 'Retain',
      });
      ok(!listAt(manifests.get(...SERVER), `${CONTAINER}.args`).includes('-expandEnv'), '-expandEnv');
    },
    mutations: [
      reconfigured(
        'spire-server',
        'plugins.KeyManager.disk.plugin_data.keys_path',
        '/tmp/spire-server/private/keys.json',
      ),
      changed(...SERVER, 'spec.persistentVolumeClaimRetentionPolicy.whenDeleted', 'Delete'),
      reconfigured('spire-server', 'plugins.KeyManager', { memory: { plugin_data: {} } }),
    ],
  },
];

/** Points 11, 18 and 20, which are off by default. */
export const OPTIONAL_SERVER_RULES: readonly Rule[] = [
  {
    id: 'spire-11',
    what: 'Vault signs the servers’ authorities: its own certificate verified, a token for Vault only, the way there open',
    assert: (manifests) => {
      const vault = plugin(manifests, 'UpstreamAuthority.vault');
      match(String(at(vault, 'vault_addr')), /^https:/);
      equal(at(vault, 'pki_mount_point'), 'pki');
      const workload = manifests.get(...SERVER);
      ok(at(volumeAt(workload, String(at(vault, 'ca_cert_path'))), 'secret.secretName'), 'ca_cert_path');
      const token = at(
        volumeAt(workload, String(at(vault, 'k8s_auth.token_path'))),
        'projected.sources.0.serviceAccountToken',
      );
      equal(at(token, 'audience'), AUDIENCES.vault);
      equal(at(vault, 'k8s_auth.k8s_auth_role_name'), 'spire-server');
      equal(at(vault, 'insecure_skip_verify'), undefined);
    },
    mutations: [
      reconfigured('spire-server', 'plugins.UpstreamAuthority', undefined),
      reconfigured('spire-server', 'plugins.UpstreamAuthority.vault.plugin_data.vault_addr', 'http://vault:8200'),
      without(...SERVER, `${CONTAINER}.volumeMounts.name=vault-ca`),
      changed(
        ...SERVER,
        `${POD}.volumes.name=vault-token.projected.sources.0.serviceAccountToken.audience`,
        'spire-server',
      ),
      reconfigured('spire-server', 'plugins.UpstreamAuthority.vault.plugin_data.insecure_skip_verify', true),
    ],
  },
  {
    id: 'spire-18, options',
    what: 'experimental settings and administrators reach the server as they are given',
    assert: (manifests) => {
      const server = at(configuration(manifests, 'spire-server'), 'server');
      deepEqual(at(server, 'experimental'), { events_based_cache: true });
      deepEqual(at(server, 'admin_ids'), ['spiffe://neural-hive.local/operator']);
      match(String(manifests.at(...SERVER, `${CONTAINER}.image`)), /@sha256:a{64}$/);
      match(String(at(plugin(manifests, 'DataStore.sql'), 'ro_connection_string')), /^host=spire-replica\.internal /);
    },
    mutations: [
      reconfigured('spire-server', 'server.experimental', undefined),
      reconfigured('spire-server', 'server.admin_ids', undefined),
      changed(...SERVER, `${CONTAINER}.image`, 'ghcr.io/spiffe/spire-server:1.15.3'),
      reconfigured('spire-server', `${SQL}.ro_connection_string`, undefined),
    ],
  },
  {
    id: 'spire-20',
    what: 'the bundle is served to other trust domains by SPIFFE, and theirs are fetched from who they say',
    assert: (manifests) => {
      const federation = at(configuration(manifests, 'spire-server'), 'server.federation');
      deepEqual(at(federation, 'bundle_endpoint.profile'), [{ https_spiffe: {} }]);
      const port = at(federation, 'bundle_endpoint.port');
      equal(manifests.at(...SERVER, `${CONTAINER}.ports.name=federation.containerPort`), port);
      equal(manifests.at('Service', 'spire-server', 'spec.ports.name=federation.port'), port);
      const other = at(federation, ['federates_with', 'other.test']);
      match(String(at(other, 'bundle_endpoint_url')), /^https:/);
      deepEqual(at(other, 'bundle_endpoint_profile'), [
        { https_spiffe: { endpoint_spiffe_id: 'spiffe://other.test/spire/server' } },
      ]);
    },
    mutations: [
      reconfigured('spire-server', 'server.federation', undefined),
      reconfigured('spire-server', 'server.federation.bundle_endpoint.profile', [{ https_web: {} }]),
      without('Service', 'spire-server', 'spec.ports.name=federation'),
      reconfigured(
        'spire-server',
        ['server', 'federation', 'federates_with', 'other.test', 'bundle_endpoint_profile'],
        [{ https_spiffe: {} }],
      ),
    ],
  },
];
