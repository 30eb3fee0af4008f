// The example on servers that are started for it: nothing has to be there but Node and npm.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DevAuthority } from '@neural-hive/dev-authority';
import { startPostgres } from '@neural-hive/embedded-postgres';
import { makeReaderRole } from './reader-role.mjs';

const PROGRAMS = ['rotate-a-pool', 'under-load'];
const [program = 'rotate-a-pool'] = process.argv.slice(2);
if (!PROGRAMS.includes(program)) {
  console.error(`usage: npm run example [-- ${PROGRAMS.join(' | ')}]`);
  process.exit(2);
}
const RUN_MS = program === 'under-load' ? 120_000 : 20_000;
const TTL_SECONDS = 20;

const stateFolder = mkdtempSync(join(tmpdir(), 'rotate-a-pool-'));
const [postgres, vault] = await Promise.all([startPostgres(), DevAuthority.open({ stateFolder })]);
const { socketFolder: host, port, database, superuser } = postgres;
const { address, caFile, rootToken } = vault;
await makeReaderRole({ address, caFile, rootToken, postgres: { host, port, database, ...superuser } }, TTL_SECONDS);
console.error(`A Vault and a PostgreSQL run; logins live ${TTL_SECONDS} s. The pool works for 20 s:`);

const example = spawn(process.execPath, [join(import.meta.dirname, `${program}.mjs`)], {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: {
    VAULT_ADDR: address,
    VAULT_CACERT: caFile,
    VAULT_TOKEN: rootToken,
    DATABASE_ROLE: 'reader',
    PGHOST: host,
    PGPORT: String(port),
    PGDATABASE: database,
  },
});
const ended = new Promise((resolve) => example.once('exit', resolve));
await Promise.race([ended, delay(RUN_MS)]);
example.kill('SIGINT');
process.exitCode = await ended;
await vault.close();
await postgres.stop();
rmSync(stateFolder, { recursive: true, force: true });
