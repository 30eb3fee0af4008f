import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Helm, parseManifests } from './helm.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/helm-');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function programThat(script: string): string {
  const path = join(folder, 'helm');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const chart = { chart: 'c', release: 'r', namespace: 'n' };

test('helm is the one that HELM_BINARY names, else the one on PATH', () => {
  const program = programThat('exit 0');
  expect(Helm.find({ HELM_BINARY: program }).program).toBe(program);
  expect(Helm.find({ PATH: `/nowhere:${folder}` }).program).toBe(program);
});

test('a missing helm is an error that says how to get it', () => {
  expect(() => Helm.find({ PATH: folder })).toThrow(/helm is missing: set HELM_BINARY .*\n.*go install/);
  expect(() => Helm.find({ HELM_BINARY: join(folder, 'gone') })).toThrow(/helm is missing/);
});

test('values reach helm by standard input and its output is parsed', async () => {
  const helm = Helm.find({ HELM_BINARY: programThat('printf "a: "; cat') });
  const { all } = await helm.render({ ...chart, values: { kind: 'X' } });
  expect(all).toEqual([{ a: { kind: 'X' } }]);
});

test('what the chart says against its values is the refusal', async () => {
  const accepting = Helm.find({ HELM_BINARY: programThat('exit 0') });
  expect(await accepting.refusal(chart)).toBeUndefined();
  const helm = Helm.find({ HELM_BINARY: programThat('echo "set region" >&2; exit 1') });
  expect(await helm.refusal(chart)).toBe('set region');
  await expect(helm.render(chart)).rejects.toMatchObject({ code: 'render_failed', message: 'set region' });
});

test('empty documents are left out and a key given twice is an error', () => {
  expect(parseManifests('---\n# nothing\n---\nkind: A\n').all).toEqual([{ kind: 'A' }]);
  expect(() => parseManifests('kind: A\nkind: B\n')).toThrow(/unique/);
});
