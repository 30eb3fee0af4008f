import { equal, match, ok } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { AUDIENCES } from '@neural-hive/contracts';
import { processesNamed, verifySnapshot } from '@neural-hive/vault-cluster';
import { at } from '../../manifests.ts';
import { JOB_POD } from '../server-pod.ts';
import { runProgram, withSideCar } from './programs.ts';
import { type Server, sideCar } from './server.ts';
import type { Step, Trial } from './trial.ts';
import { jsonOf, until, VaultCluster, voters } from './vault-cluster.ts';

const MARKER = '/v1/secret/data/marker';

async function readMarker(server: Server, token: string): Promise<unknown> {
  const answer = await server.ask(MARKER, { token });
  return at(answer && jsonOf(answer), 'data.data.value');
}

/** Ended at once, without a word to the others. */
function kill({ processName }: Server): void {
  const [pid] = processesNamed(processName);
  if (pid === undefined) throw new Error(`${processName} does not run`);
  process.kill(pid, 'SIGKILL');
}

async function leaderOf({ cluster }: Trial): Promise<Server> {
  return until('a leader', () => cluster.leader());
}

async function allVote(trial: Trial): Promise<void> {
  await until('three voters', async () => (await voters(await leaderOf(trial), trial.rootToken)).length === 3);
}

function servedSerial({ place }: Server, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: place.api, host: '127.0.0.1', ca, servername: 'localhost' }, () => {
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      resolve(serialNumber);
    });
    socket.on('error', reject);
  });
}

const withProcess = (server: Server) => (args: readonly string[]) =>
  args.map((arg) => (arg.startsWith('--process=') ? `--process=${server.processName}` : arg));

/** What a cluster lives through. */
export const LATER_STEPS: readonly Step[] = [
  {
    what: 'a standby that is restarted unseals itself and joins again',
    show: async (trial) => {
      const { cluster } = trial;
      const leader = await leaderOf(trial);
      const standby = cluster.servers.find((server) => server !== leader);
      ok(standby !== undefined);
      await standby.stop();
      const startMs = performance.now();
      await standby.start();
      await until('it is ready', async () => (await standby.probe('readinessProbe')) === 200);
      const took = performance.now() - startMs;
      await allVote(trial);
      return `ready after ${(took / 1_000).toFixed(1)} s`;
    },
  },
  {
    what: 'the leader is killed: another leads, nothing written is lost, and the old one comes back',
    show: async (trial) => {
      const { cluster, rootToken } = trial;
      const leader = await leaderOf(trial);
      const body = { data: { value: 'kept' } };
      const { status } = await cluster.call(leader, MARKER, { method: 'POST', token: rootToken, body });
      ok(status === 200 || status === 204, `writing: ${status}`);
      kill(leader);
      const startMs = performance.now();
      const next = await until('another leader', async () => {
        const found = await cluster.leader();
        return found !== leader && found;
      });
      const took = performance.now() - startMs;
      equal(await until('what was written', () => readMarker(next, rootToken)), 'kept');
      await leader.start();
      await allVote(trial);
      return `another led after ${(took / 1_000).toFixed(1)} s`;
    },
  },
  {
    what: 'a sealed server is alive and not ready, and a restart unseals it',
    show: async (trial) => {
      const { cluster, rootToken } = trial;
      const leader = await leaderOf(trial);
      equal((await cluster.call(leader, '/v1/sys/seal', { token: rootToken, body: {} })).status, 204);
      await until('it is sealed', async () => (await leader.probe('readinessProbe')) === 503);
      equal(await leader.probe('livenessProbe'), 204);
      await leader.stop();
      await leader.start();
      await until('it is ready', async () => (await leader.probe('readinessProbe')) === 200);
      await allVote(trial);
      return undefined;
    },
  },
  {
    what: 'the snapshot CronJob stores a snapshot whose sums are right',
    show: async (trial) => {
      const { root, manifests, cluster, account, identities, bucket } = trial;
      const { first } = cluster;
      const tokenFile = join(first.place.folder, 'operations', 'token');
      writeFileSync(tokenFile, await identities.token('vault-snapshot', [AUDIENCES.vault]));
      const container = at(manifests.get('CronJob', 'vault-snapshot'), `${JOB_POD}.containers.0`);
      const run = { root, cluster, server: first, container, env: account.environment };
      const { code, stdout, stderr } = await runProgram(run);
      equal(code, 0, `${stdout}${stderr}`);
      const [key] = await account.listObjects(bucket, 'snapshots/');
      match(String(key), /^snapshots\/.*-index-\d+\.snap$/);
      return stdout.trim().split('\n').at(-1);
    },
  },
  {
    what: 'the snapshot, restored into a new cluster with the same key, brings everything back',
    show: async (trial) => {
      const { manifests, account, bucket, rootToken, program, kms } = trial;
      const [key = ''] = await account.listObjects(bucket, 'snapshots/');
      const snapshot = await account.readObject(bucket, key);
      const folder = mkdtempSync(join(tmpdir(), 'vault-snapshot-'));
      const { auditFolder } = trial.cluster.first.place;
      await using fresh = await VaultCluster.prepare({
        manifests,
        program,
        kms,
        servers: 1,
        auditFolder,
        log: () => {},
      });
      try {
        writeFileSync(join(folder, 'vault.snap'), snapshot);
        const { stateBytes, index } = await verifySnapshot(join(folder, 'vault.snap'));
        ok(stateBytes > 0 && index > 0);
        const server = fresh.first;
        await server.start();
        const shares = { recovery_shares: 1, recovery_threshold: 1 };
        const init = jsonOf(await fresh.call(server, '/v1/sys/init', { body: shares }));
        const token = String(at(init, 'root_token'));
        await until('the new cluster', async () => (await server.ask('/v1/sys/health'))?.status === 200);
        equal(await readMarker(server, rootToken), undefined);
        const path = '/v1/sys/storage/raft/snapshot-force';
        const { status, text } = await fresh.call(server, path, { method: 'POST', token, body: snapshot });
        equal(status, 204, text);
        equal(await until('what was stored', () => readMarker(server, rootToken)), 'kept');
        const stranger = await server.ask('/v1/auth/token/lookup-self', { token });
        ok(stranger?.status === 403, 'the token of the cluster that was overwritten still opens it');
        return `${snapshot.length} bytes, index ${index}`;
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
  {
    what: 'the audit shipper rotates the log and carries it to the bucket, with every line whole and nothing raw',
    show: async (trial) => {
      const { root, manifests, cluster, account, auditBucket, rootToken } = trial;
      const leader = await leaderOf(trial);
      const env = account.environment;
      const container = sideCar(manifests, 'audit-shipper');
      const rewrite = (args: readonly string[]): readonly string[] =>
        withProcess(leader)(args).map((arg) => (arg.startsWith('--rotate-seconds=') ? '--rotate-seconds=1' : arg));
      let keys: readonly string[] = [];
      await withSideCar({ root, cluster, server: leader, container, env, rewrite }, async () => {
        keys = await until('a shipped log', async () => {
          const found = await account.listObjects(auditBucket, `audit/${leader.place.name}/`);
          return found.length > 0 && found;
        });
      });
      const text = gunzipSync(await account.readObject(auditBucket, keys[0] ?? '')).toString('utf8');
      const lines = text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      ok(
        lines.some((line) => at(line, 'request.path') === 'secret/data/marker'),
        'the write is not in it',
      );
      ok(!text.includes(rootToken), 'the token is in it as it is');
      ok(!text.includes('"kept"'), 'the secret is in it as it is');
      // The server writes on, to the new file.
      await readMarker(leader, rootToken);
      const file = join(leader.place.auditFolder, 'audit.log');
      ok(readFileSync(file, 'utf8').includes('secret/data/marker'), 'the server does not write to the new file');
      return `${lines.length} lines in ${keys[0]}`;
    },
  },
  {
    what: 'the TLS reloader has a renewed certificate served without a restart',
    show: async (trial) => {
      const { root, manifests, cluster } = trial;
      const { first } = cluster;
      const before = await servedSerial(first, cluster.ca);
      const [pid] = processesNamed(first.processName);
      const container = sideCar(manifests, 'tls-reloader');
      const rewrite = (args: readonly string[]): readonly string[] =>
        withProcess(first)(args).map((arg) => (arg.startsWith('--interval-seconds=') ? '--interval-seconds=1' : arg));
      const said = await withSideCar({ root, cluster, server: first, container, env: {}, rewrite }, async () => {
        await until('another certificate', async () => {
          cluster.issueCertificate(first);
          return (await servedSerial(first, cluster.ca)) !== before;
        });
      });
      match(said, /the server was told of the certificate/);
      equal(processesNamed(first.processName)[0], pid, 'it was restarted');
      return undefined;
    },
  },
];
