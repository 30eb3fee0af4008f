import { databaseCredentials, RotatingCredential } from '@neural-hive/security/credentials';
import { rotatingPool } from '@neural-hive/security/pg';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';

const { VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT, DATABASE_ROLE, RUN_SECONDS = '20' } = process.env;
const auth = tokenAuth({ token: VAULT_TOKEN });
const vault = await VaultClient.open({ address: VAULT_ADDR, auth, ca: VAULT_CACERT && { file: VAULT_CACERT } });
const provider = databaseCredentials(vault, DATABASE_ROLE);
const credential = await RotatingCredential.open({ provider, drainTimeoutMs: 5_000 });
const pool = rotatingPool(credential, { max: 20 }, { warmConnections: 20 });

// Twenty users, each with one transaction of 1 to 300 ms after another. Nothing is tried twice.
const untilMs = Date.now() + Number(RUN_SECONDS) * 1000;
const seen = { transactions: 0, failed: 0, rotations: 0, sessionsEndedByForce: 0 };
const user = async () => {
  while (Date.now() < untilMs) {
    try {
      await pool.withClient(async (client) => {
        await client.query('BEGIN');
        await client.query('SELECT pg_sleep($1)', [(1 + Math.random() * 299) / 1000]);
        await client.query('COMMIT');
      });
      seen.transactions += 1;
    } catch (error) {
      seen.failed += 1;
      console.error(error.message);
    }
  }
};

// Meanwhile the login is replaced again and again; each time the old one is revoked.
const rotator = async () => {
  while (Date.now() < untilMs) {
    const { ok, generation, terminated } = await credential.rotate();
    if (!ok) throw credential.lastError;
    seen.rotations += 1;
    seen.sessionsEndedByForce += terminated;
    console.log(JSON.stringify({ generation, login: credential.current().value.username }));
  }
};

await Promise.all([rotator(), ...Array.from({ length: 20 }, user)]);
await pool.end();
await credential.close();
await vault.close();
console.log(JSON.stringify(seen));
process.exitCode = seen.failed > 0 ? 1 : 0;
