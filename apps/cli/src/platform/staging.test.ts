import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { stagePrograms } from './staging.ts';

function write(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode: 0o600 });
  }
}

function repository(): string {
  const root = mkdtempSync(join(tmpdir(), 'nh repository-'));
  const packages = {
    'node_modules/kept': {},
    'node_modules/only-for-developers': { dev: true },
    'node_modules/@ours/service': { link: true, resolved: 'services/sample' },
  };
  write(root, {
    'package.json': '{}',
    'package-lock.json': JSON.stringify({ packages }),
    'node_modules/kept/index.js': 'kept',
    'node_modules/only-for-developers/index.js': '',
    'services/sample/package.json': '{"name":"@ours/service"}',
    'services/sample/dist/main.js': 'first build',
  });
  mkdirSync(join(root, 'node_modules/@ours'));
  symlinkSync('../../services/sample', join(root, 'node_modules/@ours/service'));
  return root;
}

test('production packages and our build are staged where every user can read them', () => {
  const stage = mkdtempSync(join(tmpdir(), 'nh-stage-'));
  const programs = stagePrograms(repository(), stage);
  expect(readFileSync(join(programs.root, 'node_modules/@ours/service/dist/main.js'), 'utf8')).toBe('first build');
  expect(readFileSync(join(programs.modules, 'kept/index.js'), 'utf8')).toBe('kept');
  expect(existsSync(join(programs.modules, 'only-for-developers'))).toBe(false);
  expect(statSync(join(programs.root, 'services/sample/dist/main.js')).mode & 0o777).toBe(0o644);
  expect(statSync(programs.root).mode & 0o777).toBe(0o755);
});

test('a second start reuses the stage, a new build replaces only our part', () => {
  const stage = mkdtempSync(join(tmpdir(), 'nh-stage-'));
  const root = repository();
  const first = stagePrograms(root, stage);
  expect(stagePrograms(root, stage)).toEqual(first);
  writeFileSync(join(root, 'services/sample/dist/main.js'), 'second build');
  const second = stagePrograms(root, stage);
  expect(second.root).not.toBe(first.root);
  expect(second.modules).toBe(first.modules);
  expect(existsSync(first.root)).toBe(false);
  expect(readdirSync(stage)).toHaveLength(1);
});
