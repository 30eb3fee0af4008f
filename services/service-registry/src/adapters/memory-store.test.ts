import { type FileHandle, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { describeAgentStore } from '../testing/agent-store-contract.ts';
import { command, openRegistry, telemetry, WORKER } from '../testing/registry-fixture.ts';
import { Journal } from './journal.ts';
import { MemoryStore } from './memory-store.ts';

let folder: string;
let journalPath: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'));
  journalPath = join(folder, 'journal');
});
afterEach(() => {
  vi.restoreAllMocks();
  return rm(folder, { recursive: true, force: true });
});

async function agentsOf(store: MemoryStore): Promise<string[]> {
  return (await store.snapshot()).agents.map(({ instanceId }) => instanceId).sort();
}

/** The next append of any file writes a half of its text, then fails like a full disk. */
async function fillDiskDuringNextAppend(folder: string): Promise<void> {
  const handle = await open(join(folder, 'any'), 'w');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { appendFile } = prototype;
  vi.spyOn(prototype, 'appendFile').mockImplementationOnce(async function half(this: FileHandle, text) {
    await appendFile.call(this, String(text).slice(0, String(text).length / 2));
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  });
}

const opened: MemoryStore[] = [];

for (const [name, path] of [
  ['memory', () => undefined],
  ['memory with a journal', () => journalPath],
] as const) {
  describeAgentStore({
    name,
    async open({ keptChanges }) {
      const store = await MemoryStore.open({ journalPath: path(), keptChanges });
      opened.push(store);
      return [store, store];
    },
    async close() {
      for (const store of opened.splice(0)) await store.close();
    },
  });
}

describe('the journal', () => {
  test('brings agents, telemetry, revisions and changes back', async () => {
    const { registry, store } = await openRegistry({ journalPath });
    const a = await registry.register(WORKER, command({ instanceId: 'a' }));
    const b = await registry.register(WORKER, command({ instanceId: 'b' }));
    await registry.heartbeat(WORKER, a.agentId, telemetry({ active: 2 }));
    await registry.deregister(WORKER, b.agentId);
    await store.close();

    const again = await MemoryStore.open({ journalPath });
    expect(await agentsOf(again)).toEqual(['a']);
    expect((await again.snapshot()).revision).toBe(3);
    expect((await again.changesAfter(1)).map(({ type }) => type)).toEqual(['REGISTERED', 'DEREGISTERED']);
    expect(await again.get(a.agentId)).toMatchObject({ telemetry: { active: 2 } });
    await again.close();
  });

  test('holds every change that was acknowledged, without a close', async () => {
    const { registry, store } = await openRegistry({ journalPath });
    await Promise.all('abcdefgh'.split('').map((instanceId) => registry.register(WORKER, command({ instanceId }))));
    const copy = `${journalPath}.copy`;
    await writeFile(copy, await readFile(journalPath));
    const again = await MemoryStore.open({ journalPath: copy });
    expect(await agentsOf(again)).toEqual('abcdefgh'.split(''));
    await Promise.all([again.close(), store.close()]);
  });

  test('revisions of an empty store begin with the time, so that none of an earlier one is taken for its own', async () => {
    const first = await MemoryStore.open();
    const { revision } = await first.snapshot();
    expect(revision).toBeGreaterThan(1_700_000_000_000_000);
    const later = await MemoryStore.open({ firstRevision: revision + 1_000_000 });
    await expect(later.changesAfter(revision + 5)).rejects.toMatchObject({ code: 'revision_lost' });
  });

  test('is private to its user', async () => {
    const { store } = await openRegistry({ journalPath });
    expect((await stat(journalPath)).mode & 0o777).toBe(0o600);
    await store.close();
  });

  test('a tail that is torn at any byte is dropped, and what follows is appended behind the good part', async () => {
    const { registry, store } = await openRegistry({ journalPath });
    await registry.register(WORKER, command({ instanceId: 'a' }));
    const good = (await stat(journalPath)).size;
    await registry.register(WORKER, command({ instanceId: 'b' }));
    await store.close();
    const whole = await readFile(journalPath);
    for (const length of [good, good + 1, good + 9, good + 40, whole.length - 1]) {
      await writeFile(journalPath, whole);
      await truncate(journalPath, length);
      const torn = await openRegistry({ journalPath });
      expect(torn.store.tornBytes).toBe(length - good);
      expect(await agentsOf(torn.store)).toEqual(['a']);
      await torn.registry.register(WORKER, command({ instanceId: 'c' }));
      await torn.store.close();
      const again = await MemoryStore.open({ journalPath });
      expect(await agentsOf(again)).toEqual(['a', 'c']);
      expect((await again.snapshot()).revision).toBe(2);
      await again.close();
    }
  });

  test('damage before the end is not taken for a torn tail', async () => {
    const { registry, store } = await openRegistry({ journalPath });
    await registry.register(WORKER, command({ instanceId: 'a' }));
    await registry.register(WORKER, command({ instanceId: 'b' }));
    await store.close();
    const text = await readFile(journalPath, 'utf8');
    await writeFile(journalPath, text.replace('"instanceId":"a"', '"instanceId":"x"'));
    await expect(MemoryStore.open({ journalPath })).rejects.toMatchObject({ code: 'journal_damaged' });
  });

  test('a file of another version is refused and left as it is', async () => {
    await writeFile(journalPath, '');
    const { journal } = await Journal.open(journalPath);
    await journal.append({ t: 'base', v: 2 });
    await journal.close();
    const before = await readFile(journalPath);
    await expect(MemoryStore.open({ journalPath })).rejects.toMatchObject({ code: 'journal_version' });
    expect(await readFile(journalPath)).toEqual(before);
  });

  test('is rewritten when it has grown, and says the same afterwards', async () => {
    const { registry, store } = await openRegistry({ journalPath });
    const metadata = { note: 'n'.repeat(12_000) };
    let grown = 0;
    for (let round = 0; round < 120; round += 1) {
      await registry.register(WORKER, command({ instanceId: 'a', metadata, version: `${round}` }));
      grown = Math.max(grown, (await stat(journalPath)).size);
    }
    const { revision } = await store.snapshot();
    await store.close();
    expect(revision).toBe(120);
    expect(grown).toBeGreaterThan(1_048_576);
    expect(await readFile(journalPath, 'utf8')).toContain('"t":"kept"');
    const again = await MemoryStore.open({ journalPath });
    expect(await again.snapshot()).toMatchObject({ revision: 120, agents: [{ version: '119' }] });
    expect((await again.changesAfter(118)).map((change) => change.revision)).toEqual([119, 120]);
    await again.close();
  });

  test('a change whose write failed is refused, and is durable and visible with the next one that succeeds', async () => {
    const { registry, store } = await openRegistry({ journalPath });
    await registry.register(WORKER, command({ instanceId: 'a' }));
    await fillDiskDuringNextAppend(folder);
    await expect(registry.register(WORKER, command({ instanceId: 'b' }))).rejects.toMatchObject({
      code: 'store_failed',
      retryable: true,
    });
    expect(store.fault).toBeDefined();
    expect((await store.snapshot()).revision).toBe(1);
    await registry.register(WORKER, command({ instanceId: 'c' }));
    expect(store.fault).toBeUndefined();
    expect((await store.changesAfter(0)).map(({ agent }) => agent.instanceId)).toEqual(['a', 'b', 'c']);
    await store.close();
    const again = await MemoryStore.open({ journalPath });
    expect(await agentsOf(again)).toEqual(['a', 'b', 'c']);
    await again.close();
  });

  test('nothing but the journal is left in the folder of a registry that was closed twice', async () => {
    const { store } = await openRegistry({ journalPath });
    await store.close();
    await store.close();
    expect(await readdir(folder)).toEqual(['journal']);
    const again = await MemoryStore.open({ journalPath });
    expect(await agentsOf(again)).toEqual([]);
    await again.close();
  });
});
