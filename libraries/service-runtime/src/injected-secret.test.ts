import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { parseLogin, RotatingCredential } from '@neural-hive/security/credentials';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { injectedSecret, readInjected } from './injected-secret.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'injected-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As the agent does: whole, then in place. */
function write(file: string, text: string): void {
  writeFileSync(join(folder, `.${file}`), text);
  renameSync(join(folder, `.${file}`), join(folder, file));
}

const login = (username: string): string => JSON.stringify({ username, password: `of ${username}`, more: 1 });

test('a login that the agent replaces is the next generation', async () => {
  write('kafka', login('one'));
  const provider = injectedSecret({ folder, file: 'kafka', parse: parseLogin });
  if (provider === undefined) throw new Error('no provider');
  await using credential = await RotatingCredential.open({ provider });
  expect(credential.current().value).toMatchObject({ username: 'one' });
  const rotated = new Promise((resolve) => credential.onRotation(resolve));
  write('kafka', login('two'));
  expect(await rotated).toMatchObject({ ok: true });
  expect(credential.current().value).toMatchObject({ username: 'two' });
});

test('what the agent does not write is left to the service', async () => {
  write('kafka', login('one'));
  expect(injectedSecret({ folder, file: 'postgres', parse: parseLogin })).toBeUndefined();
  expect(injectedSecret({ folder: undefined, file: 'kafka', parse: parseLogin })).toBeUndefined();
  expect(await readInjected(folder, 'postgres')).toBeUndefined();
  expect(await readInjected(folder, 'kafka')).toMatchObject({ username: 'one' });
});

test.each(['{"password":"hidden', '"hidden"', '["hidden"]', 'null'])('%s is refused and not quoted', async (text) => {
  write('kafka', text);
  const error = await readInjected(folder, 'kafka').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TypeError);
  expect(inspect(error)).not.toContain('hidden');
});
