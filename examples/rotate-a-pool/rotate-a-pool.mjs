import { databaseCredentials, RotatingCredential } from '@neural-hive/security/credentials';
import { rotatePool } from '@neural-hive/security/pg';
import { kubernetesAuth, tokenAuth, VaultClient } from '@neural-hive/security/vault';
import pg from 'pg';

const pool = new pg.Pool(); // the pool that is there already
const { VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_ROLE: role, VAULT_CACERT: file } = process.env;
const auth = token ? tokenAuth({ token }) : kubernetesAuth({ role });
const vault = await VaultClient.open({ address, auth, ca: file && { file } });
const provider = databaseCredentials(vault, process.env.DATABASE_ROLE);
const credential = await RotatingCredential.open({ provider });
rotatePool(pool, credential);

// That is all. The rest is something to watch, and a clean end at Ctrl-C.
credential.onRotation(({ generation, reason, ok }) => console.log(JSON.stringify({ generation, reason, ok })));
let failed = 0;
const reader = setInterval(async () => {
  try {
    const { rows } = await pool.query('SELECT current_user AS login, pg_sleep(0.05)');
    console.log(JSON.stringify({ login: rows[0].login }));
  } catch (error) {
    failed += 1;
    console.error(error.message);
  }
}, 100);
process.once('SIGINT', async () => {
  clearInterval(reader);
  await pool.end();
  await credential.close();
  await vault.close();
  process.exitCode = failed > 0 ? 1 : 0;
});
