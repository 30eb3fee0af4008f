import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { type KafkaServer, startKafka } from '@neural-hive/real-stack';
import { kafkaScramUsers } from '@neural-hive/security/kafka';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT, Failure } from '../failure.ts';
import type { Output } from '../output.ts';
import { type RotateKafkaOptions, rotateKafka } from './rotate-kafka.ts';

let folder: string;
let kafka: KafkaServer;
let authority: DevAuthority;
let vault: VaultClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rotate-'));
  [kafka, authority] = await Promise.all([startKafka(), DevAuthority.open({ stateFolder: join(folder, 'state') })]);
  const { address, caPem: ca, rootToken: token } = authority;
  vault = await VaultClient.open({ address, ca, auth: tokenAuth({ token }) });
  const { username, password } = kafka.superUser;
  await vault.kv().write('admin/kafka', { username, password: password.reveal() });
  writeFileSync(join(folder, 'kafka.pem'), kafka.ca);
  writeFileSync(join(folder, 'vault.pem'), ca);
  writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 });
}, 180_000);
afterAll(async () => {
  await vault?.destroy();
  await authority?.close();
  await kafka?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function rotate(overrides: Partial<RotateKafkaOptions> = {}) {
  const lines: string[] = [];
  let result: unknown;
  const output: Output = {
    json: true,
    line: (text) => void lines.push(text),
    heading: () => undefined,
    step: (_, work) => work(),
    result: (value) => {
      result = value;
    },
  };
  const options: RotateKafkaOptions = {
    path: 'orders/kafka',
    mount: 'secret',
    adminPath: 'admin/kafka',
    broker: [kafka.broker],
    ca: join(folder, 'kafka.pem'),
    consumer: [],
    allowNoConsumers: false,
    deadline: '1',
    vaultAddress: authority.address,
    vaultCa: join(folder, 'vault.pem'),
    vaultTokenFile: join(folder, 'token'),
    vaultAuthMount: 'jwt',
    ...overrides,
  };
  const exitCode = await rotateKafka(options, output).catch((error: unknown) => {
    if (error instanceof Failure) return error;
    throw error;
  });
  return { exitCode, lines, result: result as { username: string; behind: string[] } };
}

test('makes the first user, replaces it, and exits 1 for a consumer that has not moved', async () => {
  const first = await rotate();
  expect(first.exitCode).toBe(EXIT.ok);
  expect((await vault.kv().read('orders/kafka')).data).toMatchObject({ username: first.result.username });
  expect((await rotate()).exitCode).toMatchObject({ exitCode: EXIT.badInput, message: /no consumer/ });
  const second = await rotate({ allowNoConsumers: true });
  expect(second.exitCode).toBe(EXIT.ok);
  const late = await rotate({ consumer: ['gone'] });
  expect([late.exitCode, late.result.behind]).toEqual([EXIT.fellShort, ['gone']]);
  const { broker, ca, superUser } = kafka;
  const users = await kafkaScramUsers({ brokers: [broker], tls: { ca }, login: () => superUser }).list();
  expect(users.toSorted()).toEqual([late.result.username, superUser.username].toSorted());
  const { password } = (await vault.kv().read<{ password: string }>('orders/kafka')).data;
  expect(JSON.stringify([first, second, late])).not.toContain(password);
});

test('lists every problem of the input at once, and tells a refusal from a server that is away', async () => {
  const wrong = { path: '', broker: ['nowhere'], deadline: 'soon', vaultTokenFile: join(folder, 'none') };
  const { exitCode } = await rotate(wrong);
  expect(exitCode).toMatchObject({ exitCode: EXIT.badInput });
  expect((exitCode as Failure).details).toHaveLength(3);
  expect((await rotate({ broker: ['127.0.0.1:1'], allowNoConsumers: true })).exitCode).toMatchObject({
    exitCode: EXIT.environment,
  });
  await vault.kv().write('admin/wrong', { username: 'root', password: 'wrong' });
  const refused = await rotate({ adminPath: 'admin/wrong', allowNoConsumers: true });
  expect(refused.exitCode).toMatchObject({ exitCode: EXIT.refused });
});
