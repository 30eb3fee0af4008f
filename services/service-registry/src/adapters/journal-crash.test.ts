import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemoryStore } from './memory-store.ts';

const workspace = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-crash-'));
  const compiler = fileURLToPath(new URL('../../../../node_modules/.bin/tsc', import.meta.url));
  await promisify(execFile)(compiler, ['-b', workspace]).catch(() => undefined);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('every agent whose registration was acknowledged is there after a SIGKILL, round after round', async () => {
  const script = join(folder, 'register.mjs');
  const journalPath = join(folder, 'journal');
  const dist = pathToFileURL(join(workspace, 'dist/')).href;
  await writeFile(
    script,
    `import { MemoryStore } from ${JSON.stringify(`${dist}adapters/memory-store.js`)};
     import { Registry } from ${JSON.stringify(`${dist}domain/registry.js`)};
     const [journalPath, round] = process.argv.slice(2);
     const store = await MemoryStore.open({ journalPath, firstRevision: 0 });
     const registry = new Registry({
       store, timing: { heartbeatTimeoutMs: 1e6 },
       maxAgents: 1e6, maxAgentsPerIdentity: 1e6,
     });
     const lane = async (name) => {
       for (let index = 0; ; index += 1) {
         const instanceId = [round, name, index].join('-');
         const metadata = { note: 'n'.repeat(3_000) };
         await registry.register('spiffe://a/b', {
           type: 'WORKER', capabilities: ['build'], metadata, namespace: '', cluster: '', version: '', instanceId,
         });
         process.stdout.write(instanceId + '\\n');
       }
     };
     await Promise.all(['a', 'b', 'c', 'd'].map(lane));`,
  );
  const acknowledged = new Set<string>();
  let newest = 0;
  for (const [round, count] of [40, 173, 500].entries()) {
    const child = spawn(process.execPath, [script, journalPath, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    let received = 0;
    for await (const instanceId of lines) {
      acknowledged.add(instanceId);
      received += 1;
      if (received === count) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');

    const store = await MemoryStore.open({ journalPath });
    const { agents, revision } = await store.snapshot();
    const present = new Set(agents.map(({ instanceId }) => instanceId));
    expect([...acknowledged].filter((instanceId) => !present.has(instanceId))).toEqual([]);
    expect(revision).toBe(agents.length);
    expect(revision).toBeGreaterThanOrEqual(newest + count);
    newest = revision;
    await store.close();
  }
});
