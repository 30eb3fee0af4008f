import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { previousCharts, withoutUnknown } from './previous-charts.ts';

const LIMIT = { timeout: 60_000 };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'previous-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function git(...args: readonly string[]): string {
  const who = ['-c', 'user.name=Test', '-c', 'user.email=test@neural-hive.test', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', ['-C', root, ...who, ...args], { encoding: 'utf8' }).trim();
}

function commit(chart: string, version: string): string {
  mkdirSync(join(root, 'helm-charts', chart), { recursive: true });
  writeFileSync(join(root, 'helm-charts', chart, 'Chart.yaml'), `version: ${version}\n`);
  git('add', '-A');
  git('commit', '-q', '-m', `${chart} ${version}`);
  return git('rev-parse', 'HEAD').slice(0, 12);
}

/** Version and commit of what was before. */
async function before(chart: string): Promise<{ version: string; commit: string } | undefined> {
  const found = await previousCharts(root, [`helm-charts/${chart}`]);
  if (found === undefined) return undefined;
  const version = readFileSync(join(found.folder, 'helm-charts', chart, 'Chart.yaml'), 'utf8')
    .slice(9)
    .trim();
  rmSync(found.folder, { recursive: true });
  expect(existsSync(found.folder)).toBe(false);
  return { version, commit: found.commit };
}

test(
  'the chart before is that of the commit before the last change of it, and of HEAD where it is changed now',
  LIMIT,
  async () => {
    git('init', '-q');
    commit('a', '1');
    const second = commit('b', '1');
    commit('a', '2');
    const newest = commit('b', '2');
    expect(await before('a')).toEqual({ version: '1', commit: second });
    writeFileSync(join(root, 'helm-charts', 'a', 'Chart.yaml'), 'version: 3\n');
    expect(await before('a')).toEqual({ version: '2', commit: newest });
  },
);

test('there is none of a new chart, and none outside of a repository', LIMIT, async () => {
  expect(await before('a')).toBeUndefined();
  git('init', '-q');
  expect(await before('a')).toBeUndefined();
  commit('a', '1');
  expect(await before('a')).toBeUndefined();
  commit('b', '1');
  expect(await before('b')).toBeUndefined();
});

test('values that an older chart does not know are taken away, wherever they are, and nothing else is', () => {
  const values = { a: { b: 1, c: { d: 2, e: 3 } }, f: 4 };
  const refusal = `values don't meet the specifications of the schema(s) in the following chart(s):
x:
- at '/a/c': additional properties 'd', 'e' not allowed
- at '': additional properties 'f' not allowed`;
  expect(withoutUnknown(values, refusal, 'x')).toEqual({ a: { b: 1, c: {} } });
  expect(withoutUnknown(values, "x:\n- at '/a/b': got number, want string", 'x')).toBe(values);
});

test('what a chart inside the chart does not know is taken away below its name', () => {
  const refusal =
    "all:\n- at '': additional property 'f' not allowed\na:\n- at '/c': additional properties 'd' not allowed";
  const values = { a: { c: { d: 2, e: 3 } }, c: { d: 1 }, f: 4 };
  expect(withoutUnknown(values, refusal, 'all')).toEqual({ a: { c: { e: 3 } }, c: { d: 1 } });
});
