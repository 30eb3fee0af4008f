import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { copyContext, ignoredBy, parseIgnoreFile } from './build-context.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'context-'));
  folders.push(folder);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

test.each([
  ['docs', 'docs/a/b.md', true],
  ['docs', 'a/docs', false],
  ['**/dist', 'dist/a.js', true],
  ['**/dist', 'a/b/dist', true],
  ['**/dist', 'a/distant', false],
  ['**/*.test.ts', 'a/b.test.ts', true],
  ['**/*.test.ts', 'a/b.ts', false],
  ['.git', '.github', false],
  ['/a/', 'a/b', true],
  ['a?', 'ab', true],
])('the rule %s, for %s: %s', (rule, path, ignored) => {
  expect(parseIgnoreFile(`# comment\n\n${rule}\n`)(path)).toBe(ignored);
});

test('the last rule that fits decides', () => {
  const ignored = parseIgnoreFile('*.md\n!README.md\nREADME.md/x');
  expect([ignored('a.md'), ignored('README.md'), ignored('README.md/x')]).toEqual([true, false, true]);
});

test('a build sees what is not ignored, links as they are', () => {
  const root = folderWith({ 'a/b.ts': 'b', 'a/node_modules/c.js': 'c', '.dockerignore': '**/node_modules' });
  symlinkSync('b.ts', join(root, 'a/link.ts'));
  const target = folderWith({});
  copyContext(root, target, ignoredBy(root, 'Dockerfile'));
  const found = readdirSync(target, { recursive: true, encoding: 'utf8' }).sort();
  expect(found).toEqual(['.dockerignore', 'a', 'a/b.ts', 'a/link.ts']);
  expect(readFileSync(join(target, 'a/link.ts'), 'utf8')).toBe('b');
});

test('a Dockerfile’s own rules are taken in place of the root’s', () => {
  const root = folderWith({ '.dockerignore': 'a', 'x/Dockerfile.dockerignore': 'b' });
  const [own, other] = [ignoredBy(root, 'x/Dockerfile'), ignoredBy(root, 'y/Dockerfile')];
  expect([own('a'), own('b'), other('a'), other('b')]).toEqual([false, true, true, false]);
});

test('what the services’ builds see holds no installed package, nothing built and no history', () => {
  const ignored = ignoredBy(resolve(import.meta.dirname, '../../../..'), 'services/worker-agents/Dockerfile');
  for (const path of ['node_modules', 'libraries/security/dist', '.git', 'services/a/b.test.ts']) {
    expect([path, ignored(path)]).toEqual([path, true]);
  }
  expect(ignored('services/worker-agents/src/main.ts')).toBe(false);
});
