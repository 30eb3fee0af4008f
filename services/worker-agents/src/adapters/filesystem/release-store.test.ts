import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFolder } from '../../testing/guards.ts';
import { ArtifactStore } from './artifact-store.ts';
import { ReleaseStore } from './release-store.ts';

const signal = new AbortController().signal;

async function stores() {
  const base = openFolder('releases');
  const artifacts = await ArtifactStore.open(join(base, 'artifacts'));
  const releases = await ReleaseStore.open(join(base, 'releases'), artifacts);
  const build = async (content: string, ticketId: string): Promise<string> => {
    const product = mkdtempSync(join(base, 'product-'));
    mkdirSync(join(product, 'lib'));
    writeFileSync(join(product, 'lib', 'app.js'), content);
    return (await artifacts.store(product, ticketId, { signal })).digest;
  };
  const current = async (): Promise<string | undefined> => {
    const folder = await releases.currentFolder('app');
    return folder === undefined ? undefined : readFileSync(join(folder, 'lib', 'app.js'), 'utf8');
  };
  return { base, artifacts, releases, build, current, isUsed: (digest: string) => releases.uses(digest) };
}

test('the digest says what is in the artifact and nothing else', async () => {
  const { build, artifacts } = await stores();
  const one = await build('one', 't1');
  expect(await build('one', 't2')).toBe(one);
  expect(await build('two', 't3')).not.toBe(one);
  expect(await artifacts.list()).toHaveLength(2);
});

test('a product with a link in it, an empty one and one that is too large are refused', async () => {
  const { base, artifacts } = await stores();
  const product = join(base, 'product');
  await expect(artifacts.store(product, 't', { signal })).rejects.toThrow('no product folder');
  mkdirSync(product);
  await expect(artifacts.store(product, 't', { signal })).rejects.toThrow('empty');
  writeFileSync(join(product, 'a'), '12345');
  await artifacts.store(product, 't', { signal });
  await expect(artifacts.store(product, 't', { signal, limits: { files: 1, bytes: 4 } })).rejects.toThrow('larger');
  symlinkSync('/etc/passwd', join(product, 'link'));
  await expect(artifacts.store(product, 't', { signal })).rejects.toThrow('neither a file nor a folder');
  expect(readdirSync(join(base, 'artifacts')).filter((name) => name.startsWith('.partial'))).toEqual([]);
});

test('a deployment switches, and an undo switches back to what was there before', async () => {
  const { releases, build, current } = await stores();
  const one = await releases.deploy({
    target: 'app',
    artifact: await build('one', 'b1'),
    ticketId: 'd1',
    fencing: 5,
    signal,
  });
  expect(one.previous).toBeUndefined();
  const two = await releases.deploy({
    target: 'app',
    artifact: await build('two', 'b2'),
    ticketId: 'd2',
    fencing: 8,
    signal,
  });
  expect(two.previous).toBe(one.release);
  expect(await current()).toBe('two');
  const undo = { target: 'app', release: two.release, ticketId: 'd2', signal };
  expect(await releases.undo({ ...undo, fencing: 9 })).toBe('switched');
  expect(await current()).toBe('one');
  expect(await releases.undo({ ...undo, fencing: 10 })).toBe('already');
  expect(await current()).toBe('one');
  expect(await releases.undo({ target: 'app', release: one.release, ticketId: 'd1', fencing: 11, signal })).toBe(
    'switched',
  );
  expect(await current()).toBeUndefined();
});

test('an attempt with a smaller token than the newest seen is refused, even after the newer one was undone', async () => {
  const { releases, build, current } = await stores();
  const artifact = await build('one', 'b1');
  await releases.deploy({ target: 'app', artifact, ticketId: 'd1', fencing: 7, signal });
  const late = await build('late', 'b2');
  const request = { target: 'app', artifact: late, ticketId: 'd1', fencing: 6, signal };
  await expect(releases.deploy(request)).rejects.toMatchObject({ code: 'fenced' });
  await releases.undo({ target: 'app', release: `${artifact}-7`, ticketId: 'd1', fencing: 12, signal });
  await expect(releases.deploy({ ...request, fencing: 11 })).rejects.toMatchObject({ code: 'fenced' });
  expect(await current()).toBeUndefined();
});

test('a second attempt of a ticket whose first one had switched already remembers what was there before both', async () => {
  const { releases, build, current } = await stores();
  await releases.deploy({ target: 'app', artifact: await build('old', 'b0'), ticketId: 'd0', fencing: 1, signal });
  const artifact = await build('new', 'b1');
  await releases.deploy({ target: 'app', artifact, ticketId: 'd1', fencing: 2, signal });
  const again = await releases.deploy({ target: 'app', artifact, ticketId: 'd1', fencing: 3, signal });
  await releases.undo({ target: 'app', release: again.release, ticketId: 'd1', fencing: 4, signal });
  expect(await current()).toBe('old');
});

test('an undo leaves a release alone that was deployed since, and that one then goes back past the undone one', async () => {
  const { releases, build, current } = await stores();
  for (const [index, content] of ['one', 'two', 'three'].entries()) {
    const artifact = await build(content, `b${index}`);
    await releases.deploy({ target: 'app', artifact, ticketId: `d${index}`, fencing: index + 1, signal });
  }
  expect(await releases.undo({ target: 'app', release: 'x', ticketId: 'd1', fencing: 10, signal })).toBe('superseded');
  expect(await current()).toBe('three');
  expect(await releases.undo({ target: 'app', release: 'x', ticketId: 'd2', fencing: 11, signal })).toBe('switched');
  expect(await current()).toBe('one');
});

test('only the last releases are kept', async () => {
  const { base, releases, build } = await stores();
  for (let index = 1; index <= 8; index += 1) {
    const artifact = await build(`content ${index}`, `b${index}`);
    await releases.deploy({ target: 'app', artifact, ticketId: `d${index}`, fencing: index, signal });
  }
  expect(readdirSync(join(base, 'releases', 'app', 'releases'))).toHaveLength(5);
});

test('an artifact goes when its last builder is undone, unless a release uses it', async () => {
  const { artifacts, releases, build, isUsed } = await stores();
  const artifact = await build('one', 'b1');
  await build('one', 'b2');
  expect(await artifacts.undo(artifact, 'b1', { signal, isUsed })).toBe('kept');
  await releases.deploy({ target: 'app', artifact, ticketId: 'd1', fencing: 1, signal });
  expect(await artifacts.undo(artifact, 'b2', { signal, isUsed })).toBe('kept');
  await releases.undo({ target: 'app', release: 'x', ticketId: 'd1', fencing: 2, signal });
  expect(await artifacts.undo(artifact, 'b2', { signal, isUsed })).toBe('removed');
  expect(await artifacts.undo(artifact, 'b2', { signal, isUsed })).toBe('absent');
  await expect(releases.deploy({ target: 'app', artifact, ticketId: 'd2', fencing: 3, signal })).rejects.toMatchObject({
    code: 'parameters',
  });
});

test('a target that is a path is refused', async () => {
  const { base, releases } = await stores();
  const request = { artifact: 'a'.repeat(64), ticketId: 't', fencing: 1, signal };
  await expect(releases.deploy({ ...request, target: '../outside' })).rejects.toMatchObject({ code: 'parameters' });
  expect(existsSync(join(base, 'outside'))).toBe(false);
});
