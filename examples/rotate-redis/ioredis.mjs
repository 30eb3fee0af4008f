import { readFileSync } from 'node:fs';
import { databaseCredentials, RotatingCredential } from '@neural-hive/security/credentials';
import { rotateIoredis } from '@neural-hive/security/redis';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { Redis } from 'ioredis';

const { VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_CACERT: file, REDIS_CACERT } = process.env;
const tls = { ca: readFileSync(REDIS_CACERT) };

const vault = await VaultClient.open({ address, auth: tokenAuth({ token }), ca: { file } });
const credential = await RotatingCredential.open({ provider: databaseCredentials(vault, 'app') });
const redis = new Redis({ host: '127.0.0.1', port: Number(process.env.REDIS_PORT), tls, lazyConnect: true });
rotateIoredis(redis, credential); // its duplicates follow too

// That is all. The rest is something to watch, and a clean end at Ctrl-C.
redis.on('error', ({ message }) => console.error(message));
credential.onRotation(({ generation, ok }) => console.log(JSON.stringify({ generation, ok })));
const reader = setInterval(async () => console.log(JSON.stringify({ login: await redis.acl('WHOAMI') })), 50);
process.on('SIGHUP', () => credential.rotate()); // otherwise when the lease is near its end
process.once('SIGINT', async () => {
  clearInterval(reader);
  await redis.quit();
  await credential.close();
  await vault.close();
});
