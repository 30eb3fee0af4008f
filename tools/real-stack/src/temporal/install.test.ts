import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { installTemporal, TEMPORAL_SDK_VERSION, TEMPORAL_VERSION } from './install.ts';

const COMMITTED = resolve(import.meta.dirname, '..', '..');

test('the versions are those that the committed locks pin', () => {
  const read = (...path: string[]): string => readFileSync(join(COMMITTED, ...path), 'utf8');
  expect(read('temporal', 'go.mod')).toContain(`go.temporal.io/server v${TEMPORAL_VERSION} `);
  expect(read('temporal', 'go.sum')).toContain(`go.temporal.io/server v${TEMPORAL_VERSION} h1:`);
  const { packages } = JSON.parse(read('temporal-sdk', 'package-lock.json'));
  for (const name of ['activity', 'client', 'worker', 'workflow']) {
    expect(packages[`node_modules/@temporalio/${name}`].version).toBe(TEMPORAL_SDK_VERSION);
  }
});

test('without Go the reader is told to install it', async () => {
  const cache = mkdtempSync('/tmp/real-');
  const failing = installTemporal({ cache, go: '/nonexistent/go', log: () => {} });
  await expect(failing).rejects.toThrow(`Building Temporal ${TEMPORAL_VERSION} needs go, which is not on PATH`);
  rmSync(cache, { recursive: true });
});
