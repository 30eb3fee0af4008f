import { expect, test } from 'vitest';
import { fileError, PostgresServerError, programError } from './errors.ts';

const failedWith = (code: string): Error => Object.assign(new Error(`${code}: something`), { code });

test.each([
  ['ENOSPC', 'disk_full'],
  ['EDQUOT', 'disk_full'],
  ['EACCES', 'folder_not_writable'],
  ['EROFS', 'folder_not_writable'],
  ['EIO', 'start_failed'],
])('%s of a file operation becomes %s and names the folder', (code, expected) => {
  const error = fileError(failedWith(code), '/data/postgres');
  expect(error.code).toBe(expected);
  expect(error.message).toContain('/data/postgres');
});

test('an error that is one of ours already stays what it is', () => {
  const error = new PostgresServerError('in_use', 'taken');
  expect(fileError(error, '/data')).toBe(error);
});

test('a full disk is recognised in what a program printed', () => {
  const output = 'creating configuration files ... initdb: error: could not write: No space left on device\nremoving';
  expect(programError('initialisation_failed', 'Making it', output, '/data').code).toBe('disk_full');
});

test('the line that says why is the one that is told', () => {
  const output =
    '2026-11-23 LOG:  starting\n2026-11-23 FATAL:  could not create lock file\n2026-11-23 LOG:  shut down\n';
  const error = programError('start_failed', 'Starting PostgreSQL', output, '/data');
  expect(error.message).toBe('Starting PostgreSQL failed: 2026-11-23 FATAL:  could not create lock file');
});
