import { equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, installOpenBao, type OpenBaoServer, startOpenBao, startTlsPostgres } from '@neural-hive/real-stack';
import { messageOf } from '@neural-hive/security/common';
import type { Helm } from '../../helm.ts';
import { at } from '../../manifests.ts';
import { point } from '../../point.ts';
import { NAMESPACE, rendering } from '../renderings.ts';
import { volumeAt } from '../rules/pods.ts';
import { API_AUDIENCE, type Stage } from './stage.ts';
import { serverAt } from './three-servers.ts';

const REVIEWER = 'vault-reviewer';

const POLICY = 'path "pki/root/sign-intermediate" { capabilities = ["update"] }';

/** The command line of OpenBao as root. @throws RangeError with what it says when it fails */
type Bao = (args: readonly string[], input?: string) => string;

async function baoOf({ address, caFile, rootToken }: OpenBaoServer): Promise<Bao> {
  const program = process.env.BAO_BINARY ?? (await installOpenBao());
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: '/tmp',
    BAO_ADDR: address,
    BAO_CACERT: caFile,
    BAO_TOKEN: rootToken.reveal(),
  };
  return (args, input = '') => {
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input, env, timeout: 60_000 });
    if (status !== 0) throw new RangeError(`bao ${args.slice(0, 2).join(' ')}: ${stderr.trim()}`);
    return stdout;
  };
}

/** What the chart's README asks of Vault: a root, and a role for the servers' service account that may have it sign. */
async function prepareVault(bao: Bao, { cluster, release }: Stage): Promise<void> {
  for (const args of [
    ['create', 'serviceaccount', REVIEWER, '--namespace', 'default'],
    [
      'create',
      'clusterrolebinding',
      REVIEWER,
      '--clusterrole',
      'system:auth-delegator',
      '--serviceaccount',
      `default:${REVIEWER}`,
    ],
  ]) {
    const { code, output } = release.kubectl(args);
    equal(code, 0, output);
  }
  const reviewer = { namespace: 'default', serviceAccount: REVIEWER, audiences: [API_AUDIENCE] };
  const token = await cluster.api.requestToken(reviewer);
  bao(['secrets', 'enable', '-max-lease-ttl=8760h', 'pki']);
  bao(['write', 'pki/root/generate/internal', 'common_name=Vault', 'ttl=8760h']);
  bao(['policy', 'write', 'spire-server', '-'], POLICY);
  bao(['auth', 'enable', 'kubernetes']);
  const ca = `kubernetes_ca_cert=@${cluster.caFile}`;
  bao([
    'write',
    'auth/kubernetes/config',
    `kubernetes_host=${cluster.address}`,
    ca,
    'disable_local_ca_jwt=true',
    `token_reviewer_jwt=${token}`,
  ]);
  const account = ['bound_service_account_names=spire-server', `bound_service_account_namespaces=${NAMESPACE}`];
  bao([
    'write',
    'auth/kubernetes/role/spire-server',
    ...account,
    'audience=vault.neural-hive.local',
    'token_policies=spire-server',
  ]);
}

interface Upstream {
  readonly stage: Stage;
  readonly helm: Helm;
  readonly root: string;
  readonly bao: OpenBaoServer;
}

/**
 * Starts a server with a database of its own and a token as its pod would have it, or for another audience, and says
 * which authorities its bundle has then.
 */
async function authoritiesOf({ stage, helm, root, bao }: Upstream, audience?: string): Promise<readonly string[]> {
  const { cluster, folder, binaries } = stage;
  await using database = await startTlsPostgres({ database: 'spire' });
  const upstreamAuthority = { type: 'vault', vault: { address: bao.address, caSecret: { name: 'vault-ca' } } };
  const { host, port } = database;
  const over = { database: { host, port }, server: { upstreamAuthority } };
  const manifests = await helm.render(rendering(root, 'disk', over));
  const volume = volumeAt(manifests.get('StatefulSet', 'spire-server'), '/run/spire/vault-token');
  const wanted = audience ?? String(at(volume, 'projected.sources.0.serviceAccountToken.audience'));
  const account = { namespace: NAMESPACE, serviceAccount: 'spire-server', audiences: [wanted] };
  const vaultFolder = mkdtempSync(join(folder, 'v'));
  writeFileSync(join(vaultFolder, 'token'), await cluster.api.requestToken(account), { mode: 0o600 });
  copyFileSync(bao.caFile, join(vaultFolder, 'ca.crt'));
  const databaseCaFolder = mkdtempSync(join(folder, 'c'));
  copyFileSync(database.caFile, join(databaseCaFolder, 'ca.crt'));
  const ports = { grpc: await freePort(), health: await freePort(), metrics: await freePort() };
  const place = { folder: mkdtempSync(join(folder, 'u')), ports, databaseCaFolder, vaultFolder };
  const server = serverAt({ name: 'spire-server-0', place, manifests, database, binaries });
  try {
    await server.start();
    return await server.authorities();
  } finally {
    await server.stop();
  }
}

/** Point 11 with a real Vault: OpenBao, whose kubernetes login asks the same API server. */
export async function judgeUpstream(stage: Stage, helm: Helm, root: string): Promise<void> {
  await using bao = await startOpenBao();
  const asRoot = await baoOf(bao);
  await prepareVault(asRoot, stage);
  const upstream = { stage, helm, root, bao };
  await point(
    stage.report,
    'Vault signs a server’s authority, for a token of its service account: its root is the whole bundle',
    async () => {
      const flat = (pem: string): string => pem.replace(/\s/g, '');
      const wanted = asRoot(['read', '-field=certificate', 'pki/cert/ca']);
      equal((await authoritiesOf(upstream)).map(flat).join(), flat(wanted));
    },
  );
  await point(stage.report, 'and for a token that is not for Vault it does not', async () => {
    match(
      await authoritiesOf(upstream, 'spire-server').then(() => 'it started', messageOf),
      /audience|permission denied/,
    );
  });
}
