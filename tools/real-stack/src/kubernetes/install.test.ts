import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { KUBERNETES_VERSION } from './install.ts';

const MODULE = resolve(import.meta.dirname, '..', '..', 'kubernetes');

test('the version is the one that the committed module pins, and all parts of it are of that release', () => {
  const module = readFileSync(join(MODULE, 'go.mod'), 'utf8');
  expect(module).toContain(`\tk8s.io/kubernetes v${KUBERNETES_VERSION}\n`);
  expect(readFileSync(join(MODULE, 'go.sum'), 'utf8')).toContain(`k8s.io/kubernetes v${KUBERNETES_VERSION} h1:`);
  const parts = [...module.matchAll(/^\t(k8s\.io\/\S+) => (\S+) v(\S+)$/gm)];
  expect(parts.length).toBeGreaterThan(20);
  for (const [, name, replacement, version] of parts) {
    expect(replacement).toBe(name);
    expect(version).toBe(KUBERNETES_VERSION.replace(/^1\./, '0.'));
  }
});
