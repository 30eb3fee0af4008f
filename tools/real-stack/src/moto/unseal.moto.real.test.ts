import { Secret } from '@neural-hive/security/common';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { OPEN_BAO_WITH_AWSKMS } from '../open-bao/install.ts';
import { type InitialisedVault, UnsealingOpenBao } from '../open-bao/unsealing.ts';
import { MOTO_VERSION } from './install.ts';
import { type MotoServer, startMoto } from './start.ts';

const UNSEAL_LIMIT_MS = 60_000;

let aws: MotoServer;
let bao: UnsealingOpenBao;
let vault: InitialisedVault;

beforeAll(async () => {
  aws = await startMoto();
  bao = await UnsealingOpenBao.start({ kms: aws });
  expect(await bao.health()).toMatchObject({ initialized: false, sealed: true, version: OPEN_BAO_WITH_AWSKMS });
  vault = await bao.initialise();
  await unsealed();
  await withClient((client) => client.sys.mounts.enable('secret', { type: 'kv', options: { version: '2' } }));
}, 180_000);

afterAll(async () => {
  await bao?.stop();
  await aws?.stop();
});

/** It elects itself after it has unsealed. */
function unsealed(): Promise<void> {
  return vi.waitFor(
    async () => {
      expect(await bao.health()).toMatchObject({ sealed: false });
      expect(await withClient((client) => client.health())).toMatchObject({ state: 'healthy' });
    },
    { timeout: UNSEAL_LIMIT_MS, interval: 250 },
  );
}

async function withClient<T>(work: (client: VaultClient) => Promise<T>): Promise<T> {
  const auth = tokenAuth({ token: vault.rootToken });
  const client = await VaultClient.open({ address: bao.address, ca: { file: bao.caFile }, auth });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

test('moto is of the pinned version', () => {
  expect(aws.version).toBe(MOTO_VERSION);
});

test('OpenBao with the awskms seal unseals itself after a restart and has kept what it knew', {
  timeout: 180_000,
}, async () => {
  await withClient((client) => client.kv().write('kept', { value: 1 }));
  await bao.stopServer();
  expect(await bao.health()).toBeUndefined();
  await bao.startAgain(aws.credentials);
  await unsealed();
  expect((await withClient((client) => client.kv().read('kept'))).data).toEqual({ value: 1 });
});

test('without the right to the key it does not unseal itself, and with it again it does', {
  timeout: 180_000,
}, async () => {
  await bao.stopServer();
  const forged = { ...aws.credentials, secretAccessKey: new Secret('not-the-secret') };
  const refused = bao.startAgain(forged);
  // The program asks KMS before it listens, and ends when it is refused.
  await expect(refused).rejects.toMatchObject({ code: 'start_failed' });
  await expect(refused).rejects.toThrow(/seal/i);
  await bao.startAgain(aws.credentials);
  await unsealed();
});
