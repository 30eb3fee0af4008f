import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { type KubernetesCluster, startKubernetes, startOpenBao } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeKubernetesLogin, type LoginTarget } from '../../testing/kubernetes-login-contract.ts';

let cluster: KubernetesCluster;

beforeAll(async () => {
  cluster = await startKubernetes({ nodes: 1 });
}, 300_000);
afterAll(() => cluster?.stop());

async function openBao(): Promise<LoginTarget> {
  const bao = await startOpenBao();
  const { address, rootToken } = bao;
  const caPem = readFileSync(bao.caFile, 'utf8');
  return { address, caPem, rootToken: rootToken.reveal(), close: () => bao.stop() };
}

async function devAuthority(): Promise<LoginTarget> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'authority-'));
  const authority = await DevAuthority.open({ stateFolder });
  const { address, caPem, rootToken } = authority;
  const close = async (): Promise<void> => {
    await authority.close();
    rmSync(stateFolder, { recursive: true, force: true });
  };
  return { address, caPem, rootToken, close };
}

describe('on OpenBao', () => {
  describeKubernetesLogin(openBao, () => cluster, { describe, test, beforeAll, afterAll });
});

describe('on the dev authority', () => {
  describeKubernetesLogin(devAuthority, () => cluster, { describe, test, beforeAll, afterAll });
});
