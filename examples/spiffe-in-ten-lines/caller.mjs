import { spiffeAgent } from '@neural-hive/security/http';
import { matchId, X509Source } from '@neural-hive/security/spiffe';
import { request } from 'undici';

const identity = await X509Source.open();
const authorize = matchId('spiffe://example.org/api');
const dispatcher = spiffeAgent({ identity, authorize });
const call = async () => (await request(process.env.SERVICE_URL, { dispatcher })).body.text();

// That is all. The rest calls until Ctrl-C and counts what fails.
let failed = 0;
let calling = true;
process.once('SIGINT', () => {
  calling = false;
});
while (calling) {
  try {
    console.log(JSON.stringify({ said: await call(), generation: identity.generation }));
    await new Promise((resolve) => setTimeout(resolve, 100));
  } catch (error) {
    console.error(error.message);
    failed += 1;
    calling = false;
  }
}
await dispatcher.close();
await identity.close();
process.exitCode = failed > 0 ? 1 : 0;
