import { readFileSync } from 'node:fs';
import { databaseCredentials, RotatingCredential } from '@neural-hive/security/credentials';
import { nodeRedisCredentials } from '@neural-hive/security/redis';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { createClient } from 'redis';

const { VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_CACERT: file, REDIS_CACERT } = process.env;
const socket = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), tls: true, ca: readFileSync(REDIS_CACERT) };
const probe = async ({ value: { username, password } }) => {
  const client = createClient({
    socket: { ...socket, reconnectStrategy: false },
    username,
    password: password.reveal(),
  });
  client.on('error', () => {}); // connect() rejects with it
  await client.connect();
  await client.close();
};

const vault = await VaultClient.open({ address, auth: tokenAuth({ token }), ca: { file } });
const credential = await RotatingCredential.open({ provider: databaseCredentials(vault, 'app'), probe });
const client = createClient({ socket, credentialsProvider: nodeRedisCredentials(credential) });
client.on('error', ({ message }) => console.error(message));
await client.connect();

// That is all. The rest is something to watch, and a clean end at Ctrl-C.
credential.onRotation(({ generation, ok }) => console.log(JSON.stringify({ generation, ok })));
const reader = setInterval(async () => console.log(JSON.stringify({ login: await client.aclWhoAmI() })), 50);
process.on('SIGHUP', () => credential.rotate()); // otherwise when the lease is near its end
process.once('SIGINT', async () => {
  clearInterval(reader);
  await client.close();
  await credential.close();
  await vault.close();
});
