import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startTemporal } from '@neural-hive/real-stack';
import { parseX509Svid, type X509Svid } from '@neural-hive/security/spiffe';
import type { CertificateAuthority } from '@neural-hive/security/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..', '..');
const WORKFLOW = "export const hello = async (name) => 'hello '.concat(name);\n";

/** As much as the test needs of what the example gives back. */
interface Service {
  readonly credential: { rotate(): Promise<{ readonly ok: boolean }>; close(): Promise<void> };
  readonly connection: { readonly generation: number; close(): Promise<void> };
  readonly native: { readonly generation: number; close(): Promise<void> };
  readonly client: {
    readonly workflow: {
      execute(name: string, options: { taskQueue: string; workflowId: string; args: string[] }): Promise<string>;
    };
  };
}
interface Example {
  openService(source: object, options: { address: string; serverCa: string }): Promise<Service>;
  runWorker(service: Service, options: object, until: Promise<unknown>): Promise<unknown>;
}

let folder: string;

/** A project that has installed the library and the SDK. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'example-'));
  const modules = join(folder, 'node_modules');
  for (const scope of ['@neural-hive', '@types']) mkdirSync(join(modules, scope), { recursive: true });
  symlinkSync(join(process.env.TEMPORAL_SDK ?? '', 'node_modules', '@temporalio'), join(modules, '@temporalio'));
  symlinkSync(join(ROOT, 'libraries', 'security'), join(modules, '@neural-hive', 'security'));
  symlinkSync(join(ROOT, 'node_modules', '@types', 'node'), join(modules, '@types', 'node'));
  copyFileSync(join(import.meta.dirname, 'service.mjs'), join(folder, 'service.mjs'));
  writeFileSync(join(folder, 'workflows.js'), WORKFLOW);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const issue = (authority: CertificateAuthority): X509Svid => {
  const issued = authority.issueX509Svid({ id: 'spiffe://temporal.test/orders', ttlSeconds: 3600 });
  const privateKey = issued.privateKey.export({ type: 'pkcs8', format: 'der' });
  return parseX509Svid({ certificates: Buffer.concat(issued.certificates), privateKey });
};

test('the example works on while its certificate changes', { timeout: 300_000 }, async () => {
  await using server = await startTemporal();
  const { address, authority } = server;
  let svid = issue(authority);
  let changed = (): void => undefined;
  const source = {
    getX509Svid: () => svid,
    onUpdate(listener: () => void) {
      changed = listener;
      return () => undefined;
    },
  };
  const example = (await import(pathToFileURL(join(folder, 'service.mjs')).href)) as Example;
  const service = await example.openService(source, { address, serverCa: authority.certificatePem });
  const work = async (): Promise<string[]> => {
    const answers: string[] = [];
    for (let round = 1; round <= 3; round += 1) {
      const workflowId = randomUUID();
      answers.push(await service.client.workflow.execute('hello', { taskQueue: 'orders', workflowId, args: ['x'] }));
      svid = issue(authority);
      changed();
      // Both have moved once the credential has nothing left to do.
      while (service.connection.generation <= round) await new Promise((next) => setImmediate(next));
    }
    return answers;
  };
  const answers = work();
  await example.runWorker(service, { taskQueue: 'orders', workflowsPath: join(folder, 'workflows.js') }, answers);
  expect(await answers).toEqual(['hello x', 'hello x', 'hello x']);
  await service.connection.close();
  await service.native.close();
  await service.credential.close();
});

test('the types of the adapter and of the SDK fit together', { timeout: 300_000 }, () => {
  writeFileSync(
    join(folder, 'types.mts'),
    `import { RotatingCredential, svidCredential } from '@neural-hive/security/credentials';
import { X509Source } from '@neural-hive/security/spiffe';
import { rotateApiKey, rotatingConnection, rotatingNativeConnection, temporalTls } from '@neural-hive/security/temporal';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Secret } from '@neural-hive/security/common';

const credential = await RotatingCredential.open({ provider: svidCredential(await X509Source.open()) });
const connection = await rotatingConnection(credential, (svid) => Connection.connect({ tls: temporalTls(svid) }));
const client = new Client({ connection });
export const started: Promise<unknown> = client.workflow.start('w', { taskQueue: 'q', workflowId: 'w', args: [] });
const native = await rotatingNativeConnection(credential, (svid) => NativeConnection.connect({ tls: temporalTls(svid) }));
const viaNative = await rotatingConnection(credential, (svid) => NativeConnection.connect({ tls: temporalTls(svid) }));
export const other = new Client({ connection: viaNative });
export const ran: Promise<void> = native.runWorker(
  (connection) => Worker.create({ connection, taskQueue: 'q' }),
  (worker) => worker.run(),
);
declare const keys: RotatingCredential<Secret<string>>;
await rotateApiKey(await Connection.connect(), keys);
await rotateApiKey(await NativeConnection.connect(), keys);
`,
  );
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    module: 'nodenext',
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    types: ['node'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.mts'] }));
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, '']);
});

test('the guide shows the program that runs here', () => {
  const guide = readFileSync(join(ROOT, 'docs', 'guides', 'rotate-temporal.md'), 'utf8');
  expect(guide).toContain(readFileSync(join(import.meta.dirname, 'service.mjs'), 'utf8').trim());
});
