import { describe, expect, test } from 'vitest';
import { inMemory, type Rule } from '../repository.ts';
import { fileLength } from './file-length.ts';
import { importDirection, importsOf } from './import-direction.ts';
import { allows, licences } from './licences.ts';
import { privateNames } from './private-names.ts';
import { workspaceReadme } from './workspace-readme.ts';

function messages(rule: Rule, texts: Record<string, string>): string[] {
  return rule.check(inMemory(texts)).map(({ file, message }) => `${file} ${message}`);
}

describe('import direction', () => {
  test('every way to import is seen', () => {
    const text = `import a from 'a';\nimport { type B,\n C } from "b";\nimport 'c';\nexport * from './d.ts';\nconst e = await import('e');`;
    expect(importsOf(text)).toEqual(['a', 'b', 'c', './d.ts', 'e']);
  });

  test('a service may import libraries, and not another service', () => {
    const file = 'services/worker-agents/src/main.ts';
    expect(messages(importDirection, { [file]: `import { a } from '@neural-hive/contracts';` })).toEqual([]);
    expect(messages(importDirection, { [file]: `import { a } from '@neural-hive/orchestrator-dynamic';` })).toEqual([
      `${file} imports @neural-hive/orchestrator-dynamic, which services/worker-agents may not`,
    ]);
    expect(messages(importDirection, { [file]: `import { a } from '../../service-registry/src/x.ts';` })[0]).toContain(
      'a file of another workspace',
    );
  });

  test('the dev authority reaches only some parts of the library', () => {
    const file = 'libraries/dev-authority/src/a.ts';
    expect(messages(importDirection, { [file]: `import { a } from '@neural-hive/security/common';` })).toEqual([]);
    expect(messages(importDirection, { [file]: `import { a } from '@neural-hive/security/vault';` })).toHaveLength(1);
  });

  test('layers of the library point one way', () => {
    expect(
      messages(importDirection, { 'libraries/security/src/tls/a.ts': `import { a } from '../spiffe/b.ts';` }),
    ).toEqual([]);
    expect(
      messages(importDirection, { 'libraries/security/src/spiffe/a.ts': `import { a } from '../tls/b.ts';` }),
    ).toEqual(['libraries/security/src/spiffe/a.ts imports from tls/, which spiffe/ may not']);
  });

  test('a domain does no I/O', () => {
    const file = 'services/worker-agents/src/domain/a.ts';
    expect(messages(importDirection, { [file]: `import { createHash } from 'node:crypto';` })).toEqual([]);
    expect(messages(importDirection, { [file]: `import { readFile } from 'node:fs/promises';` })).toHaveLength(1);
  });
});

test('a file over 400 lines is named, one of 400 is not', () => {
  expect(messages(fileLength, { 'a.ts': 'x\n'.repeat(400) })).toEqual([]);
  expect(messages(fileLength, { 'a.ts': 'x\n'.repeat(401) })).toEqual(['a.ts has 401 lines; 400 is the most']);
});

test('a dependency with a licence that is not on the list is named', () => {
  const lock = (license: string, dev = false): Record<string, string> => ({
    'package-lock.json': JSON.stringify({ packages: { 'node_modules/a': { license, dev } } }),
  });
  expect(messages(licences, lock('MIT'))).toEqual([]);
  expect(messages(licences, lock('MPL-2.0', true))).toEqual([]);
  expect(messages(licences, lock('MPL-2.0'))).toHaveLength(1);
  expect(messages(licences, lock('GPL-3.0'))).toHaveLength(1);
  expect(allows('(MIT OR GPL-3.0)', (name) => name === 'MIT')).toBe(true);
  expect(allows('MIT AND GPL-3.0', (name) => name === 'MIT')).toBe(false);
});

test('a workspace without a README is named', () => {
  const root = { 'package.json': '{"workspaces":["libraries/a"]}' };
  expect(messages(workspaceReadme, { ...root, 'libraries/a/README.md': '' })).toEqual([]);
  expect(messages(workspaceReadme, root)).toEqual(['libraries/a has no README.md']);
});

test('a path of one machine is named', () => {
  expect(messages(privateNames, { 'a.md': 'see /usr/lib' })).toEqual([]);
  expect(messages(privateNames, { 'a.md': `see /work/${'main'}/a` })).toHaveLength(1);
});
