import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seal } from './init/sealed-box.ts';

const PROGRAM = resolve(import.meta.dirname, 'main.ts');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/main-');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(args: readonly string[], input = '') {
  const built = PROGRAM.replace('/src/', '/dist/').replace(/\.ts$/, '.js');
  return spawnSync(process.execPath, [built, ...args], { encoding: 'utf8', input });
}

test('wrong arguments end with 2 and the usage', () => {
  expect(run(['--help']).status).toBe(0);
  for (const args of [
    [],
    ['destroy'],
    ['init'],
    ['init', '--settings'],
    ['reload-tls', '--folder=/tmp', '--process=x', '--interval-seconds=soon'],
  ]) {
    const { status, stderr } = run(args);
    expect(status, args.join(' ')).toBe(2);
    expect(stderr).not.toContain('    at ');
  }
});

test('settings that are not the chart’s end with 2 and name the field', () => {
  const path = join(folder, 'settings.json');
  writeFileSync(path, JSON.stringify({ cluster: {}, parameters: {} }));
  const { status, stderr } = run(['bootstrap', `--settings=${path}`, '--token-file=/nowhere']);
  expect(status).toBe(2);
  expect(stderr).toContain('servers');
});

test('what init kept sealed is printed for the holder of the private key', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 3072,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const key = join(folder, 'private.pem');
  writeFileSync(key, privateKey);
  const box = JSON.stringify(seal({ rootToken: 'hvs.root' }, publicKey));
  const opened = run(['open-fallback', `--private-key=${key}`], box);
  expect(opened.status).toBe(0);
  expect(JSON.parse(opened.stdout)).toEqual({ rootToken: 'hvs.root' });
});
