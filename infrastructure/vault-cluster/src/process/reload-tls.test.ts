import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateAuthority } from '@neural-hive/security/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tlsReloader } from './reload-tls.ts';

const authority = CertificateAuthority.create('vault.test');
let folder: string;
let told: number;

function issue(files: readonly ('tls.crt' | 'tls.key')[] = ['tls.crt', 'tls.key']): void {
  const { certificateChainPem, privateKey } = authority.issueTlsCertificate({ dnsNames: ['vault'], ttlSeconds: 600 });
  const content = { 'tls.crt': certificateChainPem, 'tls.key': privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  for (const file of files) writeFileSync(join(folder, file), content[file]);
}

beforeEach(() => {
  folder = mkdtempSync('/tmp/tls-');
  told = 0;
  issue();
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function tell(): void {
  told += 1;
}

const reloader = (hangUp = tell, lines: string[] = []) =>
  tlsReloader({ folder, hangUp, log: (line) => lines.push(line) });

test('the server is told once of a certificate that was replaced, and of nothing before', () => {
  const watching = reloader();
  expect(watching.check()).toBe(false);
  issue();
  expect(watching.check()).toBe(true);
  expect(watching.check()).toBe(false);
  expect(told).toBe(1);
});

test('a certificate whose key is another’s is not reloaded until both fit', () => {
  const lines: string[] = [];
  const watching = reloader(undefined, lines);
  issue(['tls.crt']);
  expect(watching.check()).toBe(false);
  expect(lines[0]).toContain('the key is of another certificate');
  issue();
  expect(watching.check()).toBe(true);
});

test('a server that could not be told is told at the next look', () => {
  let running = false;
  const watching = reloader(() => {
    if (!running) throw new Error('no process is called vault');
    told += 1;
  });
  issue();
  expect(watching.check()).toBe(false);
  running = true;
  expect(watching.check()).toBe(true);
  expect(told).toBe(1);
});
