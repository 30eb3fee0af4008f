import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { installSpire, SPIRE_VERSION } from './install.ts';

const MODULE = resolve(import.meta.dirname, '..', '..', 'spire');

test('the version is the one that the committed module pins', () => {
  expect(readFileSync(join(MODULE, 'go.mod'), 'utf8')).toContain(`github.com/spiffe/spire v${SPIRE_VERSION} `);
  expect(readFileSync(join(MODULE, 'go.sum'), 'utf8')).toContain(`github.com/spiffe/spire v${SPIRE_VERSION} h1:`);
});

test('without Go the reader is told to install it', async () => {
  const cache = mkdtempSync('/tmp/real-');
  const lines: string[] = [];
  const failing = installSpire({ cache, go: '/nonexistent/go', log: (line) => lines.push(line) });
  await expect(failing).rejects.toThrow('Building SPIRE 1.15.3 needs go, which is not on PATH: install Go 1.26');
  expect(lines).toEqual(['Building SPIRE 1.15.3: spire-agent (1 of 3), once…']);
  rmSync(cache, { recursive: true });
});
