import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { at, listAt, type Manifest, type Manifests, under } from '../../manifests.ts';
import { changed, without, withoutManifest } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { configuration, configurationText, reconfigured } from '../configuration.ts';
import { AGENT_NAMESPACE, NAMESPACE } from '../renderings.ts';
import { secondsOf } from '../seconds.ts';
import { POD, volumeAt } from './pods.ts';

const SERVER = ['StatefulSet', 'spire-server'] as const;
const CONTAINER = `${POD}.containers.name=spire-server`;
const CLUSTER_ROLE = 'spire-spire-server';

const plugin = (manifests: Manifests, path: string): unknown =>
  at(configuration(manifests, 'spire-server'), `plugins.${path}.plugin_data`);

/** The service account that the subjects of a binding name. */
function isBoundTo(binding: Manifest, name: string, namespace: string): void {
  deepEqual(binding.subjects, [{ kind: 'ServiceAccount', name, namespace }]);
}

const SQL = 'plugins.DataStore.sql.plugin_data';
const PSAT = 'plugins.NodeAttestor.k8s_psat.plugin_data.clusters.neural-hive';

/** Points 6 to 10 and 19, as production is installed. */
export const PLUGIN_RULES: readonly Rule[] = [
  {
    id: 'spire-6',
    what: 'servers share one PostgreSQL, verified by name; its login comes from a Secret and is in no ConfigMap',
    assert: (manifests) => {
      const sql = plugin(manifests, 'DataStore.sql');
      equal(at(sql, 'database_type'), 'postgres');
      const connection = String(at(sql, 'connection_string'));
      match(connection, /(^| )sslmode=verify-full( |$)/);
      const root = / sslrootcert=(\S+)/.exec(connection)?.[1] ?? '';
      const secret = at(volumeAt(manifests.get(...SERVER), root), 'secret');
      ok(
        listAt(secret, 'items').some((item) => root.endsWith(`/${String(at(item, 'path'))}`)),
        'sslrootcert is not mounted',
      );
      doesNotMatch(configurationText(manifests, 'spire-server'), /password|(^|[ "])user=/i);
      for (const [name, key] of [
        ['PGUSER', 'username'],
        ['PGPASSWORD', 'password'],
      ] as const) {
        deepEqual(manifests.at(...SERVER, `${CONTAINER}.env.name=${name}.valueFrom.secretKeyRef`), {
          name: 'spire-database',
          key,
        });
      }
      const open = Number(at(sql, 'max_open_conns')) * Number(manifests.at(...SERVER, 'spec.replicas'));
      ok(open > 0 && open < 200, `${open} connections`);
      ok(secondsOf(at(sql, 'conn_max_lifetime')) > 0, 'conn_max_lifetime');
    },
    mutations: [
      reconfigured('spire-server', `${SQL}.database_type`, 'sqlite3'),
      reconfigured('spire-server', `${SQL}.connection_string`, 'host=db dbname=spire sslmode=require'),
      reconfigured('spire-server', `${SQL}.connection_string`, (old: unknown) => `${String(old)} password=x`),
      without(...SERVER, `${POD}.volumes.name=database-ca`),
      without(...SERVER, `${CONTAINER}.env.name=PGPASSWORD`),
      changed(...SERVER, `${CONTAINER}.env.name=PGPASSWORD`, { name: 'PGPASSWORD', value: 'x' }),
      reconfigured('spire-server', `${SQL}.max_open_conns`, 100),
      reconfigured('spire-server', `${SQL}.conn_max_lifetime`, undefined),
    ],
  },
  {
    id: 'spire-7',
    what: 'there is one key manager; with KMS each server has keys of its own, under a role of its service account',
    assert: (manifests) => {
      const managers = at(configuration(manifests, 'spire-server'), 'plugins.KeyManager');
      deepEqual(Object.keys(managers as object), ['aws_kms']);
      const kms = plugin(manifests, 'KeyManager.aws_kms');
      match(String(at(kms, 'region')), /^[a-z]{2}-[a-z]+-\d$/);
      equal(at(kms, 'key_identifier_value'), `\${POD_NAME}`);
      const container = at(manifests.get(...SERVER), CONTAINER);
      ok(listAt(container, 'args').includes('-expandEnv'), '-expandEnv');
      equal(at(container, 'env.name=POD_NAME.valueFrom.fieldRef.fieldPath'), 'metadata.name');
      const account = manifests.get('ServiceAccount', String(manifests.at(...SERVER, `${POD}.serviceAccountName`)));
      match(
        String(at(account, under('metadata.annotations', 'eks.amazonaws.com/role-arn'))),
        /^arn:aws:iam::\d{12}:role\//,
      );
      doesNotMatch(configurationText(manifests, 'spire-server'), /access_key/);
    },
    mutations: [
      reconfigured('spire-server', 'plugins.KeyManager.memory', { plugin_data: {} }),
      reconfigured('spire-server', 'plugins.KeyManager.aws_kms.plugin_data.region', ''),
      reconfigured('spire-server', 'plugins.KeyManager.aws_kms.plugin_data.key_identifier_value', 'spire'),
      changed(...SERVER, `${CONTAINER}.args`, ['run', '-config', '/run/spire/config/server.conf']),
      without(...SERVER, `${CONTAINER}.env.name=POD_NAME`),
      without('ServiceAccount', 'spire-server', 'metadata.annotations'),
    ],
  },
  {
    id: 'spire-8',
    what: 'nodes attest by the token of the agents’ own service account, for the cluster and the audience that agents use',
    assert: (manifests) => {
      const clusters = at(plugin(manifests, 'NodeAttestor.k8s_psat'), 'clusters');
      const agent = configuration(manifests, 'spire-agent');
      const name = String(at(agent, 'plugins.NodeAttestor.k8s_psat.plugin_data.cluster'));
      deepEqual(Object.keys(clusters as object), [name]);
      const daemon = manifests.get('DaemonSet', 'spire-agent');
      const account = `${daemon.metadata.namespace}:${String(at(daemon, `${POD}.serviceAccountName`))}`;
      deepEqual(at(clusters, [name, 'service_account_allow_list']), [account]);
      const token = at(
        volumeAt(daemon, '/var/run/secrets/tokens/spire-agent'),
        'projected.sources.0.serviceAccountToken',
      );
      deepEqual(at(clusters, [name, 'audience']), [at(token, 'audience')]);
    },
    mutations: [
      reconfigured('spire-server', `${PSAT}.service_account_allow_list`, ['spire:spire-agent']),
      reconfigured('spire-server', `${PSAT}.audience`, []),
      reconfigured('spire-agent', 'plugins.NodeAttestor.k8s_psat.plugin_data.cluster', 'other'),
      changed('DaemonSet', 'spire-agent', `${POD}.serviceAccountName`, 'default'),
    ],
  },
  {
    id: 'spire-9',
    what: 'servers may review tokens and look up pods and nodes, and nothing else in the cluster',
    assert: (manifests) => {
      deepEqual(manifests.at('ClusterRole', CLUSTER_ROLE, 'rules'), [
        { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
        { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get'] },
      ]);
      const binding = manifests.get('ClusterRoleBinding', CLUSTER_ROLE);
      equal(at(binding, 'roleRef.name'), CLUSTER_ROLE);
      isBoundTo(binding, String(manifests.at(...SERVER, `${POD}.serviceAccountName`)), NAMESPACE);
      equal(manifests.at(...SERVER, `${POD}.automountServiceAccountToken`), true);
    },
    mutations: [
      without('ClusterRole', CLUSTER_ROLE, 'rules.0'),
      changed('ClusterRole', CLUSTER_ROLE, 'rules.1.verbs', ['get', 'list', 'watch']),
      changed('ClusterRoleBinding', CLUSTER_ROLE, 'subjects.0.namespace', 'default'),
      withoutManifest('ClusterRoleBinding', CLUSTER_ROLE),
      without(...SERVER, `${POD}.automountServiceAccountToken`),
    ],
  },
  {
    id: 'spire-10',
    what: 'servers write the bundle into a ConfigMap that the chart makes empty, and agents start by that one',
    assert: (manifests) => {
      const notifier = plugin(manifests, 'Notifier.k8sbundle');
      const name = String(at(notifier, 'config_map'));
      const map = manifests.get('ConfigMap', name);
      equal(map.metadata.namespace, at(notifier, 'namespace'));
      equal(map.metadata.namespace, AGENT_NAMESPACE);
      ok(!Object.hasOwn(map, 'data'), 'an upgrade would overwrite the bundle');
      const role = manifests.get('Role', 'spire-bundle');
      equal(role.metadata.namespace, map.metadata.namespace);
      deepEqual(role.rules, [
        { apiGroups: [''], resources: ['configmaps'], resourceNames: [name], verbs: ['get', 'patch'] },
      ]);
      const binding = manifests.get('RoleBinding', 'spire-bundle');
      equal(binding.metadata.namespace, map.metadata.namespace);
      isBoundTo(binding, 'spire-server', NAMESPACE);
      const path = String(at(configuration(manifests, 'spire-agent'), 'agent.trust_bundle_path'));
      equal(at(volumeAt(manifests.get('DaemonSet', 'spire-agent'), path), 'configMap.name'), name);
      ok(path.endsWith(`/${String(at(notifier, 'config_map_key'))}`), path);
    },
    mutations: [
      changed('ConfigMap', 'spire-bundle', 'data', { 'bundle.crt': '' }),
      withoutManifest('ConfigMap', 'spire-bundle'),
      changed('Role', 'spire-bundle', 'rules.0.verbs', ['create', 'get', 'patch']),
      without('Role', 'spire-bundle', 'rules.0.resourceNames'),
      reconfigured('spire-server', 'plugins.Notifier.k8sbundle.plugin_data.namespace', 'spire'),
      reconfigured('spire-server', 'plugins.Notifier.k8sbundle.plugin_data.config_map_key', 'ca.pem'),
      changed('DaemonSet', 'spire-agent', `${POD}.volumes.name=bundle.configMap.name`, 'other'),
      withoutManifest('RoleBinding', 'spire-bundle'),
    ],
  },
  {
    id: 'spire-19',
    what: 'every configuration is JSON, and the helm test has the server judge its own',
    assert: (manifests) => {
      for (const name of ['spire-server', 'spire-agent', 'spire-oidc'] as const) ok(configuration(manifests, name));
      const validate = manifests.at('Job', 'spire-test', `${POD}.initContainers.name=configuration`);
      deepEqual(at(validate, 'command'), ['/opt/spire/bin/spire-server']);
      const [, ...options] = listAt(manifests.get(...SERVER), `${CONTAINER}.args`);
      deepEqual(at(validate, 'args'), ['validate', ...options], 'it is not read as the server reads it');
      equal(at(validate, 'env.name=POD_NAME.valueFrom.fieldRef.fieldPath'), 'metadata.name');
    },
    mutations: [
      changed('ConfigMap', 'spire-agent', ['data', 'agent.conf'], 'agent {\n}\n'),
      without('Job', 'spire-test', `${POD}.initContainers`),
      changed('Job', 'spire-test', `${POD}.initContainers.0.args`, [
        'validate',
        '-config',
        '/run/spire/config/server.conf',
      ]),
      without('Job', 'spire-test', `${POD}.initContainers.0.env`),
    ],
  },
];
