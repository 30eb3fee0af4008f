import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withSuperuser } from './database.ts';
import { processStart } from './processes.ts';
import { superviseDatabase } from './supervised-database.ts';

test('a database server that dies is started again with what it had, and stop ends the new one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nh-db-'));
  // As root the server has a user of its own.
  chmodSync(folder, 0o711);
  const restarts: string[] = [];
  const postgres = await superviseDatabase({ dataFolder: join(folder, 'data') }, (why) => restarts.push(why));
  try {
    await withSuperuser(postgres, (client) => client.query('CREATE TABLE kept AS SELECT 7 AS number'));
    const first = postgres.pid;
    process.kill(first, 'SIGKILL');
    await expect.poll(() => postgres.pid, { timeout: 15_000 }).not.toBe(first);
    const { rows } = await withSuperuser(postgres, (client) => client.query('SELECT number FROM kept'));
    expect(rows).toEqual([{ number: 7 }]);
    expect(restarts).toEqual(['exit 137']);
  } finally {
    await postgres.stop();
    expect(processStart(postgres.pid)).toBeUndefined();
    await rm(folder, { recursive: true });
  }
});
