import { deepEqual, equal, match } from 'node:assert/strict';
import { at } from '../../manifests.ts';
import { changed, without } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { blocksOf } from '../hcl.ts';
import { changedOfSet, configBlock, inConfig, listener, ofVault, serverConfig, VAULT } from '../server-pod.ts';
import { settingsOf } from './storage.ts';

/** What is different with OpenBao, which has a program, labels and a declaration of audit devices of its own. */
export const OPEN_BAO_RULES: readonly Rule[] = [
  {
    id: 'openbao',
    what: 'OpenBao runs as itself, is found by its own labels and declares its audit devices in its configuration',
    assert: (manifests) => {
      match(String(ofVault(manifests, 'image')), /^openbao\/openbao:2\.6\.2$/);
      deepEqual(ofVault(manifests, 'command'), ['bao']);
      equal(manifests.at('Service', 'vault-active', ['spec', 'selector', 'openbao-active']), 'true');
      equal(manifests.at('Service', 'vault-standby', ['spec', 'selector', 'openbao-active']), 'false');
      const audit = blocksOf(serverConfig(manifests), 'audit').map(({ labels, body }) => [
        ...labels,
        body.blocks[0]?.body.attributes.file_path,
      ]);
      deepEqual(audit, [
        ['file', 'file', '/vault/audit/audit.log'],
        ['file', 'stdout', 'stdout'],
      ]);
      equal(at(settingsOf(manifests), 'cluster.auditDevices'), undefined, 'its API refuses to enable one');
      const [telemetry] = blocksOf(listener(manifests, 8202).body, 'telemetry');
      deepEqual(telemetry?.body.attributes, { unauthenticated_metrics_access: true, metrics_only: true });
      equal(configBlock(manifests, 'seal').labels[0], 'awskms');
      equal(serverConfig(manifests).attributes.disable_mlock, undefined, 'it does not know the setting');
    },
    mutations: [
      changedOfSet(`${VAULT}.command`, ['vault']),
      changedOfSet(`${VAULT}.image`, 'hashicorp/vault:1.21.4'),
      without('Service', 'vault-active', ['spec', 'selector', 'openbao-active']),
      changed('Service', 'vault-standby', ['spec', 'selector', 'openbao-active'], 'true'),
      inConfig(/audit "file" "stdout" \{[^}]*\}\s*\}/, ''),
      inConfig(/metrics_only +[=] true/, ''),
      inConfig(/^ui /m, 'disable_mlock = true\nui '),
    ],
  },
];
