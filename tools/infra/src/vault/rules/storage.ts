import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { at, type Manifests } from '../../manifests.ts';
import { changed, rewritten, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { CHART_FILES } from '../chart-files.ts';
import { blocksOf } from '../hcl.ts';
import {
  changedOfSet,
  configBlock,
  environment,
  inConfig,
  POD,
  serverConfig,
  serverSet,
  VAULT,
  withoutOfSet,
} from '../server-pod.ts';
import { IRSA_ANNOTATION } from './security.ts';

export function settingsOf(manifests: Manifests): unknown {
  return JSON.parse(String(manifests.at('ConfigMap', 'vault-operations', ['data', 'settings.json'])));
}

export const inSettings = (pattern: RegExp, by: string) =>
  rewritten('ConfigMap', 'vault-operations', ['data', 'settings.json'], pattern, by);

/** Points 22 to 26. */
export const STORAGE_RULES: readonly Rule[] = [
  {
    id: 'vault-22',
    what: 'Raft, and a server joins whichever of the peers answers',
    assert: (manifests) => {
      const { body } = configBlock(manifests, 'storage', 'raft');
      equal(body.attributes.path, '/vault/data');
      equal(body.attributes.node_id, undefined, 'node_id has to differ, so it comes from the environment');
      const joins = blocksOf(body, 'retry_join').map((block) => block.body.attributes);
      deepEqual(
        joins,
        [0, 1, 2].map((ordinal) => ({
          leader_api_addr: `https://vault-${ordinal}.vault-internal:8200`,
          leader_ca_cert_file: '/vault/userconfig/vault-tls/ca.crt',
          leader_tls_servername: `vault-${ordinal}.vault-internal`,
        })),
      );
    },
    mutations: [
      inConfig(/path +[=] "\/vault\/data"/, 'path = "/vault/file"'),
      inConfig(/https:\/\/vault-2\.vault-internal/, 'https://vault-0.vault-internal'),
      inConfig(/leader_ca_cert_file +[=] "[^"]*"/, ''),
      inConfig(/retry_join \{[^}]*\}/, ''),
      inConfig(/storage "raft"/, 'storage "file"'),
    ],
  },
  {
    id: 'vault-23',
    what: 'autopilot, which the configuration file cannot set, is set by the init and bootstrap Jobs',
    assert: (manifests) => {
      deepEqual(at(settingsOf(manifests), 'cluster.autopilot'), {
        cleanup_dead_servers: true,
        dead_server_last_contact_threshold: '24h',
        last_contact_threshold: '10s',
        max_trailing_logs: 1000,
        min_quorum: 3,
        server_stabilization_time: '10s',
      });
      equal(blocksOf(serverConfig(manifests), 'autopilot').length, 0);
    },
    mutations: [
      inSettings(/"min_quorum": 3/, '"min_quorum": 1'),
      inSettings(/"cleanup_dead_servers": true,/, ''),
      inSettings(/"dead_server_last_contact_threshold": "24h"/, '"dead_server_last_contact_threshold": "1m"'),
    ],
  },
  {
    id: 'vault-24',
    what: 'Raft’s pace and its log’s length are values, and a disk that fills is told',
    assert: (manifests) => {
      const { attributes } = configBlock(manifests, 'storage', 'raft').body;
      equal(attributes.performance_multiplier, 1);
      equal(attributes.snapshot_threshold, 8192);
      equal(attributes.trailing_logs, 10000);
      const rules = JSON.stringify(manifests.at('PrometheusRule', 'vault', 'spec.groups.0.rules'));
      match(rules, /kubelet_volume_stats_available_bytes.*\(data\|audit\)-vault/);
    },
    mutations: [
      inConfig(/performance_multiplier = 1/, 'performance_multiplier = 5'),
      inConfig(/trailing_logs +[=] 10000/, ''),
      without('PrometheusRule', 'vault', 'spec.groups.0.rules.alert=VaultDiskFilling'),
    ],
  },
  {
    id: 'vault-25',
    what: 'the key service unseals, by the identity of the servers’ service account and no key in the values',
    assert: (manifests) => {
      const { attributes } = configBlock(manifests, 'seal', 'awskms').body;
      deepEqual(attributes, { region: 'us-east-1', kms_key_id: 'alias/neural-hive-vault-unseal' });
      const account = manifests.get('ServiceAccount', 'vault-server');
      match(String(at(account, IRSA_ANNOTATION)), /^arn:aws:iam::\d{12}:role\/neural-hive-vault-server$/);
      equal(at(serverSet(manifests), `${POD}.serviceAccountName`), 'vault-server');
      const variables = environment(at(serverSet(manifests), VAULT));
      equal(variables.AWS_REGION, 'us-east-1');
      equal(variables.AWS_ACCESS_KEY_ID ?? variables.AWS_SECRET_ACCESS_KEY, undefined);
    },
    mutations: [
      inConfig(/seal "awskms" \{[^}]*\}/, ''),
      inConfig(/region +[=] "us-east-1"/, ''),
      inConfig(/kms_key_id = "/, 'access_key = "AKIA"\n kms_key_id = "'),
      without('ServiceAccount', 'vault-server', IRSA_ANNOTATION),
      changedOfSet(`${POD}.serviceAccountName`, 'default'),
      withoutOfSet(`${VAULT}.env.name=AWS_REGION`),
      changed(
        'ServiceAccount',
        'vault-server',
        IRSA_ANNOTATION,
        'arn:aws:iam::123456789012:role/neural-hive-vault-init',
      ),
    ],
  },
  {
    id: 'vault-26',
    what: 'an automatic seal has recovery keys, of which three of five are needed, and losing the key is spoken of',
    assert: (manifests) => {
      const init = at(settingsOf(manifests), 'init');
      equal(at(init, 'recoveryShares'), 5);
      equal(at(init, 'recoveryThreshold'), 3);
      ok(
        !/key-shares|secret_shares/.test(JSON.stringify(init)),
        'shares of unseal keys are refused by an automatic seal',
      );
      const readme = String(manifests.at(CHART_FILES, 'vault', ['data', 'README.md']));
      ok(/losing the (KMS )?key/i.test(readme), 'README.md does not say what losing the key means');
    },
    mutations: [
      inSettings(/"recoveryThreshold": 3/, '"recoveryThreshold": 1'),
      inSettings(/"recoveryShares": 5/, '"secret_shares": 5'),
      rewritten(CHART_FILES, 'vault', ['data', 'README.md'], /losing the/gi, 'having the'),
    ],
  },
];

/** On a cluster that does not inject identities. */
export const PROJECTED_IDENTITY_RULES: readonly Rule[] = [
  {
    id: 'vault-25-projected',
    what: 'without EKS the pod has a token for AWS of its own and says for which role',
    assert: (manifests) => {
      const variables = environment(at(serverSet(manifests), VAULT));
      equal(variables.AWS_WEB_IDENTITY_TOKEN_FILE, '/var/run/secrets/aws/token');
      match(String(variables.AWS_ROLE_ARN), /role\/neural-hive-vault-server$/);
      const token = at(serverSet(manifests), `${POD}.volumes.name=aws-token.projected.sources.0.serviceAccountToken`);
      equal(at(token, 'audience'), 'sts.amazonaws.com');
      equal(at(serverSet(manifests), `${VAULT}.volumeMounts.name=aws-token.mountPath`), '/var/run/secrets/aws');
      equal(at(manifests.get('ServiceAccount', 'vault-server'), IRSA_ANNOTATION), undefined);
    },
    mutations: [
      withoutOfSet(`${VAULT}.env.name=AWS_ROLE_ARN`),
      withoutOfSet(`${POD}.volumes.name=aws-token`),
      withoutOfSet(`${VAULT}.volumeMounts.name=aws-token`),
      changedOfSet(`${POD}.volumes.name=aws-token.projected.sources.0.serviceAccountToken.audience`, 'vault'),
    ],
  },
];
