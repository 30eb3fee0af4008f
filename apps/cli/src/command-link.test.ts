import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('the file that npm links as `hive` is there before anything is built, and can be executed', () => {
  const workspace = join(import.meta.dirname, '..');
  const { bin } = JSON.parse(readFileSync(join(workspace, 'package.json'), 'utf8')) as { bin: { hive: string } };
  expect(bin.hive).not.toContain('dist');
  expect(() => accessSync(join(workspace, bin.hive), constants.X_OK)).not.toThrow();
});
