import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ETCD_VERSION } from './install.ts';

const MODULE = resolve(import.meta.dirname, '..', '..', 'etcd');

test('the version is the one that the committed module pins', () => {
  const pinned = `go.etcd.io/etcd/server/v3 v${ETCD_VERSION}`;
  expect(readFileSync(join(MODULE, 'go.mod'), 'utf8')).toContain(`${pinned} `);
  expect(readFileSync(join(MODULE, 'go.sum'), 'utf8')).toContain(`${pinned} h1:`);
});
