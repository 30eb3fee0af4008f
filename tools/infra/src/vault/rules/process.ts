import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { at, listAt } from '../../manifests.ts';
import { type Mutation, together } from '../../mutation.ts';
import type { Rule } from '../../rule.ts';
import { changedOfSet, environment, ofVault, POD, serverSet, VAULT, withoutOfSet } from '../server-pod.ts';

const PER_POD = ['VAULT_RAFT_NODE_ID', 'VAULT_API_ADDR', 'VAULT_CLUSTER_ADDR'] as const;

function queryOf(path: unknown): URLSearchParams {
  return new URL(String(path), 'https://vault').searchParams;
}

/** Codes of sys/health that are not about this process: they must not have it killed. */
const NOT_ITS_FAULT = ['sealedcode', 'uninitcode', 'drsecondarycode', 'haunhealthycode', 'removedcode'];

function probe(name: string, change: (path: string) => string): Mutation {
  return changedOfSet(`${VAULT}.${name}.httpGet.path`, (path: unknown) => change(String(path)));
}

/** Points 8 to 12. */
export const PROCESS_RULES: readonly Rule[] = [
  {
    id: 'vault-8',
    what: 'vault is the process itself, and what differs between pods comes from the environment',
    assert: (manifests) => {
      deepEqual(ofVault(manifests, 'command'), ['vault']);
      deepEqual(ofVault(manifests, 'args'), ['server', '-config=/vault/config/vault.hcl']);
      const variables = environment(at(serverSet(manifests), VAULT));
      equal(variables.POD_NAME, 'metadata.name');
      equal(variables.VAULT_RAFT_NODE_ID, '$(POD_NAME)');
      equal(variables.VAULT_LOG_FORMAT, 'json');
      // A variable is expanded only where it was defined before.
      const order = listAt(serverSet(manifests), `${VAULT}.env`).map((variable) => at(variable, 'name'));
      for (const name of PER_POD) ok(order.indexOf('POD_NAME') < order.indexOf(name), `${name} before POD_NAME`);
    },
    mutations: [
      changedOfSet(`${VAULT}.command`, ['/bin/sh', '-c']),
      changedOfSet(`${VAULT}.args`, ['server', '-config=/tmp/storageconfig.hcl']),
      withoutOfSet(`${VAULT}.env.name=VAULT_RAFT_NODE_ID`),
      withoutOfSet(`${VAULT}.env.name=VAULT_LOG_FORMAT`),
      changedOfSet(`${VAULT}.env`, (list: unknown) => [...(list as unknown[]).slice(1), (list as unknown[])[0]]),
    ],
  },
  {
    id: 'vault-9',
    what: 'before it ends it waits a moment for the endpoints, with no shell and no token',
    assert: (manifests) => {
      const wait = Number(ofVault(manifests, 'lifecycle.preStop.sleep.seconds'));
      ok(wait >= 5 && wait <= 10, `${wait} s`);
      equal(ofVault(manifests, 'lifecycle.preStop.exec'), undefined);
      equal(environment(at(serverSet(manifests), VAULT)).VAULT_TOKEN, undefined);
    },
    mutations: [
      withoutOfSet(`${VAULT}.lifecycle`),
      changedOfSet(`${VAULT}.lifecycle.preStop.exec.command`, ['vault', 'operator', 'step-down']),
      changedOfSet(`${VAULT}.env`, (list: unknown) => [...(list as unknown[]), { name: 'VAULT_TOKEN', value: 'x' }]),
    ],
  },
  {
    id: 'vault-10',
    what: 'processes see each other only for the side-cars that signal Vault, and these run as its user',
    assert: (manifests) => {
      const pod = at(serverSet(manifests), POD);
      const sideCars = listAt(pod, 'containers').filter((container) => at(container, 'name') !== 'vault');
      equal(at(pod, 'shareProcessNamespace') === true, sideCars.length > 0);
      for (const sideCar of sideCars) {
        ok(listAt(sideCar, 'args').includes('--process=vault'), `${at(sideCar, 'name')} signals nothing`);
        equal(at(sideCar, 'securityContext.runAsUser'), undefined);
      }
    },
    mutations: [
      withoutOfSet(`${POD}.shareProcessNamespace`),
      changedOfSet(`${POD}.containers`, (list: unknown) => (list as unknown[]).slice(0, 1)),
      changedOfSet(`${POD}.containers.name=audit-shipper.args`, ['ship-audit']),
      changedOfSet(`${POD}.containers.name=tls-reloader.securityContext.runAsUser`, 0),
    ],
  },
  {
    id: 'vault-11',
    what: 'ready means usable, alive means that it answers, over HTTPS; five minutes are allowed for the start',
    assert: (manifests) => {
      for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
        equal(ofVault(manifests, `${name}.httpGet.scheme`), 'HTTPS', name);
        match(String(ofVault(manifests, `${name}.httpGet.path`)), /^\/v1\/sys\/health\?/, name);
        const query = queryOf(ofVault(manifests, `${name}.httpGet.path`));
        equal(query.get('standbyok'), 'true', `${name} refuses standbys`);
        equal(query.get('perfstandbyok'), 'true', `${name} refuses performance standbys`);
        for (const code of NOT_ITS_FAULT) {
          equal(query.get(code), name === 'readinessProbe' ? null : '204', `${name}: ${code}`);
        }
      }
      const limit = (name: string): number =>
        Number(ofVault(manifests, `${name}.periodSeconds`)) * Number(ofVault(manifests, `${name}.failureThreshold`));
      ok(limit('startupProbe') >= 300, 'startupProbe');
      ok(limit('livenessProbe') >= 60, 'livenessProbe');
    },
    mutations: [
      withoutOfSet(`${VAULT}.startupProbe`),
      withoutOfSet(`${VAULT}.readinessProbe`),
      withoutOfSet(`${VAULT}.livenessProbe`),
      ...NOT_ITS_FAULT.map((code) => probe('livenessProbe', (path) => path.replace(`&${code}=204`, ''))),
      probe('readinessProbe', (path) => `${path}&sealedcode=204`),
      probe('readinessProbe', (path) => path.replace('standbyok=true&', '')),
      changedOfSet(`${VAULT}.readinessProbe.httpGet.scheme`, 'HTTP'),
      changedOfSet(`${VAULT}.startupProbe.failureThreshold`, 3),
    ],
  },
  {
    id: 'vault-12',
    what: 'a server announces itself by a name of its own below the headless service',
    assert: (manifests) => {
      const variables = environment(at(serverSet(manifests), VAULT));
      const host = '$(POD_NAME).vault-internal.vault.svc.cluster.local';
      equal(variables.VAULT_API_ADDR, `https://${host}:8200`);
      equal(variables.VAULT_CLUSTER_ADDR, `https://${host}:8201`);
    },
    mutations: [
      withoutOfSet(`${VAULT}.env.name=VAULT_API_ADDR`),
      changedOfSet(`${VAULT}.env.name=VAULT_API_ADDR.value`, 'https://$(POD_IP):8200'),
      together(
        'the literal name of a variable that is not defined',
        changedOfSet(`${VAULT}.env.name=VAULT_CLUSTER_ADDR.value`, 'https://$(VAULT_K8S_POD_NAME):8201'),
      ),
    ],
  },
];
