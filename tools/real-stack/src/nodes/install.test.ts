import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installNodes, NODE_LINES } from './install.ts';
import { warningsIn } from './warnings.ts';

let cache: string;

beforeEach(() => {
  cache = mkdtempSync('/tmp/nodes-');
});

afterEach(() => {
  rmSync(cache, { recursive: true });
});

/** Stands for npm: does what the script says, in the folder that holds the lock. */
function npmThat(script: string): string {
  const npm = join(cache, 'npm');
  writeFileSync(npm, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return npm;
}

const folders = NODE_LINES.map((line) => `node_modules/node-${line}-${process.platform}-${process.arch}/bin`);
const fill = folders.map((folder) => `mkdir -p ${folder} && touch ${folder}/node`).join('\n');

test('npm installs from the lock, without scripts, and what it installed is found without asking it again', async () => {
  const npm = npmThat(
    `test "$*" = "ci --ignore-scripts --no-audit --no-fund" && test -f package-lock.json || exit 1\n${fill}`,
  );
  const programs = await installNodes({ cache, npm, log: () => {} });
  expect(Object.keys(programs)).toEqual([...NODE_LINES]);
  expect(Object.values(programs).every((program) => existsSync(program))).toBe(true);
  expect(await installNodes({ cache, npm: '/nonexistent/npm' })).toEqual(programs);
});

test('an installation that fails says why in one line and leaves nothing that looks installed', async () => {
  const failing = { cache, log: () => {} };
  const npm = npmThat('echo "npm error code EINTEGRITY" >&2; exit 1');
  await expect(installNodes({ ...failing, npm })).rejects.toThrow(
    /^Installing Node [^\n]* failed: npm error code EINTEGRITY$/,
  );
  await expect(installNodes({ ...failing, npm: npmThat('exit 0') })).rejects.toMatchObject({ code: 'install_failed' });
  expect(readdirSync(cache).filter((name) => /^nodes-[0-9a-f]+$/.test(name))).toEqual([]);
});

test('warnings of Node are found in the output of a run, each once', () => {
  const output = [
    '(node:7) [DEP0040] DeprecationWarning: The `punycode` module is deprecated.',
    '(Use `node --trace-deprecation ...` to show where the warning was created)',
    ' ✓ a test that speaks of a Warning: nothing',
    '(node:8) [DEP0040] DeprecationWarning: The `punycode` module is deprecated.',
    '(node:9) ExperimentalWarning: SQLite is an experimental feature',
  ].join('\n');
  expect(warningsIn(output)).toEqual([
    '[DEP0040] DeprecationWarning: The `punycode` module is deprecated.',
    'ExperimentalWarning: SQLite is an experimental feature',
  ]);
});
