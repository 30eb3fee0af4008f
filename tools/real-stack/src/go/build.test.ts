import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildGo, type GoBuild, lockHash } from './build.ts';

let cache: string;
let build: GoBuild;

beforeEach(() => {
  cache = mkdtempSync('/tmp/real-');
  const module = join(cache, 'module');
  mkdirSync(module);
  for (const file of ['go.mod', 'go.sum', 'main.go']) writeFileSync(join(module, file), file);
  build = { what: 'Thing 1', name: 'thing-1', module, sources: ['main.go'], programs: { a: 'one', b: 'two' } };
});

afterEach(() => {
  rmSync(cache, { recursive: true });
});

/** A compiler that does what the script says; `$OUT` is the program it should make. */
function compiler(script: string): string {
  const go = join(cache, 'go');
  const out = 'while [ "$1" != -o ]; do shift; done; OUT=$2';
  writeFileSync(go, `#!/bin/sh\n${out}\n${script}\n`, { mode: 0o755 });
  return go;
}

test('what was built once is found without a compiler, until the lock changes', async () => {
  const lines: string[] = [];
  const options = { cache, log: (line: string) => lines.push(line) };
  const folder = await buildGo(build, { ...options, go: compiler('echo made > "$OUT"') });
  expect(readdirSync(folder).sort()).toEqual(['one', 'two']);
  expect(lines.filter((line) => line.startsWith('Building'))).toEqual([
    'Building Thing 1: one (1 of 2), once…',
    'Building Thing 1: two (2 of 2), once…',
  ]);
  expect(await buildGo(build, { ...options, go: '/nonexistent/go' })).toBe(folder);

  const before = lockHash(build);
  writeFileSync(join(build.module, 'go.sum'), 'another hash');
  expect(lockHash(build)).not.toBe(before);
  await expect(buildGo(build, { ...options, go: '/nonexistent/go' })).rejects.toMatchObject({ code: 'go_missing' });
});

test('a file that a module lacks is put into a copy of the modules, which is not kept', async () => {
  const vendored: GoBuild = { ...build, vendorFiles: { 'a/b/version.txt': 'v1\n' } };
  expect(lockHash(vendored)).not.toBe(lockHash(build));
  // The first call is `mod vendor -o <folder>`; the others find what was put there.
  const go = compiler('if [ -e vendor ]; then cat vendor/a/b/version.txt > "$OUT"; else mkdir "$OUT"; fi');
  const folder = await buildGo(vendored, { cache, go, log: () => {} });
  expect(readdirSync(folder).sort()).toEqual(['one', 'two']);
  expect(readFileSync(join(folder, 'two'), 'utf8')).toBe('v1\n');
});

test('two builds of one thing are one', async () => {
  const go = compiler(`echo made >> "${join(cache, 'runs')}"; echo made > "$OUT"`);
  const lines: string[] = [];
  const options = { cache, go, log: (line: string) => lines.push(line) };
  const [first, second] = await Promise.all([buildGo(build, options), buildGo(build, options)]);
  expect(second).toBe(first);
  expect(lines.filter((line) => line.startsWith('Building'))).toHaveLength(2);
  expect(lines).toContain('Thing 1 is being built by another process: waiting…');
});

test('without Go one line says what to install, and nothing is left behind', async () => {
  const failing = buildGo(build, { cache, go: '/nonexistent/go', log: () => {} });
  await expect(failing).rejects.toThrow(/^[^\n]*not on PATH: install Go[^\n]*$/);
  expect(readdirSync(cache)).toEqual(['module']);
});

test.each([
  ['go: go.mod requires go >= 1.26.6 (running go 1.19.8; GOTOOLCHAIN=local)', 'go_missing', 'needs Go 1.26.6 or newer'],
  ['cgo: C compiler "gcc" not found: exec: "gcc"', 'install_failed', 'install gcc'],
  ['go: downloading x v1\nx@v1: verifying module: checksum mismatch', 'install_failed', 'failed: x@v1: verifying'],
])('a compiler that says %j is explained', async (said, code, message) => {
  const go = compiler(`printf '%s\\n' '${said}' >&2; exit 1`);
  const failing = buildGo(build, { cache, go, log: () => {} });
  await expect(failing).rejects.toMatchObject({ code });
  await expect(failing).rejects.toThrow(message);
  expect(existsSync(join(cache, `thing-1-${lockHash(build)}`))).toBe(false);
});
