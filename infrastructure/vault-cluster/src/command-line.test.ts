import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCommandLine } from './command-line.ts';
import { seal } from './init/sealed-box.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync('/tmp/main-');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function run(args: readonly string[], input = '') {
  const said = { stdout: '', stderr: '' };
  const status = await runCommandLine(args, {
    log: (line) => {
      said.stdout += `${line}\n`;
    },
    error: (line) => {
      said.stderr += `${line}\n`;
    },
    readInput: () => input,
  });
  return { status, ...said };
}

test('wrong arguments end with 2 and the usage', async () => {
  expect((await run(['--help'])).status).toBe(0);
  for (const args of [
    [],
    ['destroy'],
    ['init'],
    ['init', '--settings'],
    ['reload-tls', '--folder=/tmp', '--process=x', '--interval-seconds=soon'],
  ]) {
    const { status, stderr } = await run(args);
    expect(status, args.join(' ')).toBe(2);
    expect(stderr).not.toContain('    at ');
  }
});

test('settings that are not the chart’s end with 2 and name the field', async () => {
  const path = join(folder, 'settings.json');
  writeFileSync(path, JSON.stringify({ cluster: {}, parameters: {} }));
  const { status, stderr } = await run(['bootstrap', `--settings=${path}`, '--token-file=/nowhere']);
  expect(status).toBe(2);
  expect(stderr).toContain('servers');
});

test('what init kept sealed is printed for the holder of the private key', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 3072,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const key = join(folder, 'private.pem');
  writeFileSync(key, privateKey);
  const box = JSON.stringify(seal({ rootToken: 'hvs.root' }, publicKey));
  const opened = await run(['open-fallback', `--private-key=${key}`], box);
  expect(opened.status).toBe(0);
  expect(JSON.parse(opened.stdout)).toEqual({ rootToken: 'hvs.root' });
});
