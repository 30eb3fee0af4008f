import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive, isServerOf, parentOf } from './processes.ts';
import { startPostgres } from './start.ts';

let base: string;

beforeEach(() => {
  base = mkdtempSync('/tmp/pgt-');
  chmodSync(base, 0o711);
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

describe('a start after a crash', () => {
  test('a server that runs under its guard is left alone and the folder is reported as in use', async () => {
    await using first = await startPostgres({ dataFolder: base });
    await expect(startPostgres({ dataFolder: base })).rejects.toMatchObject({ code: 'in_use', retryable: true });
    expect(isAlive(first.pid)).toBe(true);
  });

  test('a server whose guard was killed is shut down and its data recovered', async () => {
    const first = await startPostgres({ dataFolder: base });
    const guard = parentOf(first.pid);
    expect(guard).toBeGreaterThan(1);
    process.kill(guard ?? 0, 'SIGKILL');

    await using second = await startPostgres({ dataFolder: base });
    expect(isServerOf(first.pid, first.dataFolder)).toBe(false);
    expect(isServerOf(second.pid, first.dataFolder)).toBe(true);
  });

  test('a server that was killed itself is recovered from its log', async () => {
    const first = await startPostgres({ dataFolder: base });
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).not.toBe(0);
    await using second = await startPostgres({ dataFolder: base });
    expect(isAlive(second.pid)).toBe(true);
  });

  test('lock files whose process id now belongs to another program do not block', async () => {
    const first = await startPostgres({ dataFolder: base });
    const locks = [join(first.dataFolder, 'postmaster.pid'), join(first.socketFolder, '.s.PGSQL.5432.lock')];
    const contents = locks.map((path) => readFileSync(path, 'utf8'));
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    for (const [index, path] of locks.entries()) {
      writeFileSync(path, (contents[index] ?? '').replace(String(first.pid), String(process.pid)));
    }
    await using second = await startPostgres({ dataFolder: base });
    expect(isAlive(second.pid)).toBe(true);
  });

  test('an interrupted initialisation is begun again', async () => {
    const probe = await startPostgres({ dataFolder: base });
    await probe.stop();
    rmSync(probe.dataFolder, { recursive: true });
    writeFileSync(`${probe.dataFolder}.new`, 'half');
    await using second = await startPostgres({ dataFolder: base });
    expect(isAlive(second.pid)).toBe(true);
  });

  test('a socket that a living server holds is not taken away from it', async () => {
    await using first = await startPostgres({ dataFolder: join(base, 'a'), socketFolder: join(base, 's') });
    const second = startPostgres({ dataFolder: join(base, 'b'), socketFolder: join(base, 's') });
    await expect(second).rejects.toMatchObject({ code: 'in_use' });
    await using third = await startPostgres({
      dataFolder: join(base, 'b'),
      socketFolder: join(base, 's'),
      port: 5433,
    });
    expect(third.socketFolder).toBe(first.socketFolder);
  });
});
