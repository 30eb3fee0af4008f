import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { FERRETDB_VERSION, installFerretDb } from './install.ts';

const MODULE = resolve(import.meta.dirname, '..', '..', 'ferretdb');

test('the version is the one that the committed module pins', () => {
  expect(readFileSync(join(MODULE, 'go.mod'), 'utf8')).toContain(`github.com/FerretDB/FerretDB v${FERRETDB_VERSION} `);
  expect(readFileSync(join(MODULE, 'go.sum'), 'utf8')).toContain(
    `github.com/FerretDB/FerretDB v${FERRETDB_VERSION} h1:`,
  );
});

test('without Go the reader is told to install it', async () => {
  const cache = mkdtempSync('/tmp/real-');
  const failing = installFerretDb({ cache, go: '/nonexistent/go', log: () => {} });
  await expect(failing).rejects.toThrow(`Building FerretDB ${FERRETDB_VERSION} needs go, which is not on PATH`);
  rmSync(cache, { recursive: true });
});
