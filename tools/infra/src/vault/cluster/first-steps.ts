import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { AUDIENCES } from '@neural-hive/contracts';
import { at, listAt } from '../../manifests.ts';
import { jobOf } from '../rules/jobs.ts';
import { settingsOf } from '../rules/storage.ts';
import { alertedMetrics } from '../rules/telemetry.ts';
import { POD } from '../server-pod.ts';
import { runProgram, runServerProgram, writeOperations } from './programs.ts';
import { generateRootToken } from './root-token.ts';
import type { Answer } from './server.ts';
import type { Step, Trial } from './trial.ts';
import { jsonOf, until, voters } from './vault-cluster.ts';

const PROBES = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;

async function runJob({ root, manifests, cluster, account }: Trial, component: string) {
  const container = at(jobOf(manifests, component), `${POD}.containers.0`);
  return runProgram({ root, cluster, server: cluster.first, container, env: account.environment });
}

/** The answer to the account `who` at the login of a role, with a token for an audience. */
async function logInAs({ cluster, identities }: Trial, who: string, role: string, audience: string): Promise<Answer> {
  const body = { role, jwt: await identities.token(who, [audience]) };
  return cluster.call(cluster.first, '/v1/auth/kubernetes/login', { method: 'POST', body });
}

/** From empty volumes to a cluster that is set up. */
export const FIRST_STEPS: readonly Step[] = [
  {
    what: 'three servers start from the rendered configuration, which has nothing they do not know',
    show: async ({ cluster }) => {
      await Promise.all(cluster.servers.map((server) => server.start()));
      const odd = cluster.servers.flatMap(({ lines }) =>
        lines.filter((line) => /unknown|unsupported|deprecated/i.test(line)),
      );
      deepEqual(odd, []);
      return undefined;
    },
  },
  {
    what: 'before they are initialised they are alive and not ready',
    show: async ({ cluster }) => {
      for (const server of cluster.servers) {
        deepEqual(await Promise.all(PROBES.map((name) => server.probe(name))), [204, 204, 501], server.place.name);
      }
      return undefined;
    },
  },
  {
    what: 'the init Job stores the keys, waits for three voters, sets up and revokes the root token',
    show: async (trial) => {
      const { cluster, account, identities, manifests, database } = trial;
      writeOperations(cluster, cluster.first, {
        settings: String(manifests.at('ConfigMap', 'vault-operations', ['data', 'settings.json'])),
        parameters: { kubernetes: await identities.reviewer(), postgres: database.parameters },
        token: await identities.token('vault-bootstrap', [AUDIENCES.vault]),
      });
      const { code, stdout, stderr } = await runJob(trial, 'init');
      equal(code, 0, `${stdout}${stderr}`);
      match(stdout, /initialised\nrecovery keys and root token are stored\n/);
      match(stdout, /the root token is revoked/);
      const stored = await account.readSecret('neural-hive/vault/unseal-keys');
      const keys = listAt(stored, 'recovery_keys_base64').map(String);
      equal(keys.length, 5);
      const token = await account.readSecret('neural-hive/vault/root-token');
      deepEqual(Object.keys(token), ['state', 'advice'], 'the root token is still stored');
      for (const key of keys) ok(!`${stdout}${stderr}`.includes(key), 'a key is in the log');
      ok(!/hvs\.|\bs\.[A-Za-z0-9]{20}/.test(stdout), 'a token is in the log');
      return stdout.trim().split('\n').at(-2);
    },
  },
  {
    what: 'three of the five recovery keys and a login make a root token; two keys, or no login, do not',
    show: async (trial) => {
      const { cluster, account } = trial;
      const { first } = cluster;
      const stored = await account.readSecret('neural-hive/vault/unseal-keys');
      const keys = listAt(stored, 'recovery_keys').map(String);
      const login = await logInAs(trial, 'vault-bootstrap', 'vault-bootstrap', AUDIENCES.vault);
      const token = String(at(jsonOf(login), 'auth.client_token'));
      const make = (recoveryKeys: readonly string[], by: string): Promise<string> =>
        generateRootToken(cluster, first, { recoveryKeys, token: by });
      await rejects(make(keys.slice(0, 2), token), /2 recovery keys make no root token/);
      await rejects(make(keys.slice(0, 3), ''));
      trial.rootToken = await make(keys.slice(0, 3), token);
      equal((await first.ask('/v1/auth/token/lookup-self', { token: trial.rootToken }))?.status, 200);
      return undefined;
    },
  },
  {
    what: 'one server leads, two stand by, all vote and all are ready',
    show: async ({ cluster, rootToken }) => {
      deepEqual([...(await voters(cluster.first, rootToken))].sort(), ['vault-0', 'vault-1', 'vault-2']);
      for (const server of cluster.servers)
        await until(server.place.name, async () => (await server.probe('readinessProbe')) === 200);
      const codes = await Promise.all(
        cluster.servers.map(async (server) => (await server.ask('/v1/sys/health'))?.status),
      );
      deepEqual(codes.sort(), [200, 429, 429]);
      return undefined;
    },
  },
  {
    what: 'autopilot is as the values say, and healthy',
    show: async ({ cluster, manifests, rootToken }) => {
      const answer = await cluster.first.ask('/v1/sys/storage/raft/autopilot/configuration', { token: rootToken });
      const found = at(answer && jsonOf(answer), 'data');
      const wanted = at(settingsOf(manifests), 'cluster.autopilot');
      for (const name of ['min_quorum', 'cleanup_dead_servers', 'max_trailing_logs'])
        equal(at(found, name), at(wanted, name), name);
      match(String(at(found, 'dead_server_last_contact_threshold')), /^24h/);
      await until('a healthy autopilot', async () => {
        const state = await cluster.first.ask('/v1/sys/storage/raft/autopilot/state', { token: rootToken });
        return at(state && jsonOf(state), 'data.healthy') === true;
      });
      return undefined;
    },
  },
  {
    what: 'the init Job finds an initialised cluster and leaves it alone',
    show: async (trial) => {
      const { code, stdout, stderr } = await runJob(trial, 'init');
      equal(code, 0, stderr);
      match(stdout, /nothing to do/);
      return undefined;
    },
  },
  {
    what: 'the bootstrap Job logs in as its service account and applies the setup again',
    show: async (trial) => {
      const { code, stdout, stderr } = await runJob(trial, 'bootstrap');
      equal(code, 0, `${stdout}${stderr}`);
      match(stdout, /^0 created, /m);
      return stdout.trim().split('\n').at(-1);
    },
  },
  {
    what: 'a role takes its own service account with the audience of Vault, and no other',
    show: async (trial) => {
      const status = async (who: string, role: string, audience: string = AUDIENCES.vault): Promise<number> =>
        (await logInAs(trial, who, role, audience)).status;
      equal(await status('vault-bootstrap', 'vault-bootstrap'), 200);
      equal(await status('vault-snapshot', 'vault-snapshot'), 200);
      equal(await status('vault-init', 'vault-bootstrap'), 403);
      equal(await status('vault-bootstrap', 'vault-snapshot'), 403);
      equal(await status('vault-bootstrap', 'vault-bootstrap', 'somebody-else'), 403);
      return undefined;
    },
  },
  {
    what: 'metrics are told without a token on their own port, and nothing else is; every alerted metric is there',
    show: async ({ cluster, manifests }) => {
      const { first } = cluster;
      const port = first.place.metrics;
      const path = '/v1/sys/metrics?format=prometheus';
      const answer = await first.ask(path, { port });
      equal(answer?.status, 200);
      ok((await first.ask('/v1/sys/seal-status', { port }))?.status !== 200, 'the metrics port answers other requests');
      ok((await first.ask(path))?.status !== 200, 'the API’s port tells metrics to anybody');
      const leader = await cluster.leader();
      const text = (await leader?.ask(path, { port: leader.place.metrics }))?.text ?? '';
      const missing = alertedMetrics(manifests).filter((name) => !new RegExp(`^${name}(_count)?[ {]`, 'm').test(text));
      deepEqual(missing, []);
      return alertedMetrics(manifests).join(', ');
    },
  },
  {
    what: 'the helm test passes',
    show: async (trial) => {
      const { manifests, cluster } = trial;
      const container = at(manifests.get('Job', 'vault-test-status'), `${POD}.containers.0`);
      const { status } = (await cluster.first.ask('/v1/sys/health')) ?? {};
      ok(status === 200 || status === 429, `health ${String(status)}`);
      const { code, stdout, stderr } = await runServerProgram(trial, container);
      equal(code, 0, `${stdout}${stderr}`);
      equal(at(JSON.parse(stdout), 'sealed'), false);
      return undefined;
    },
  },
];
