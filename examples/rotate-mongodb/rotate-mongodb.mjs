import { kvSecret, RotatingCredential } from '@neural-hive/security/credentials';
import { parseMongoLogin, rotatingMongoClient } from '@neural-hive/security/mongodb';
import { kubernetesAuth, tokenAuth, VaultClient } from '@neural-hive/security/vault';

const { VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_ROLE: role, VAULT_CACERT: file } = process.env;
const auth = token ? tokenAuth({ token }) : kubernetesAuth({ role });
const vault = await VaultClient.open({ address, auth, ca: file && { file } });
const provider = kvSecret(vault, process.env.MONGODB_LOGIN, { parse: parseMongoLogin, pollMs: 1_000 });
const credential = await RotatingCredential.open({ provider });
const client = await rotatingMongoClient(credential, process.env.MONGODB_URI);
const orders = client.db('shop').collection('orders'); // to keep for ever

// That is all. The rest is something to watch, and a clean end at Ctrl-C.
credential.onRotation(({ generation, ok }) => console.log(JSON.stringify({ generation, ok })));
let [working, failed] = [true, 0];
process.once('SIGINT', () => {
  working = false;
});
while (working) {
  try {
    await orders.insertOne({ at: new Date() });
    const latest = await orders.find({}, { limit: 5, batchSize: 2 }).toArray();
    console.log(JSON.stringify({ orders: latest.length, generation: client.generation }));
  } catch (error) {
    failed += 1;
    console.error(error.message);
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await client.close();
await credential.close();
await vault.close();
process.exitCode = failed > 0 ? 1 : 0;
