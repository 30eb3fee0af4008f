import { leaseResults } from './lease/index.ts';
import { registryResults } from './platform/registry.ts';
import { ticketResults } from './platform/tickets.ts';
import { rotationResults } from './rotation/index.ts';
import { spiffeResults } from './spiffe/index.ts';
import { vaultResults } from './vault/index.ts';

async function* platformResults(): AsyncGenerator<object> {
  yield* ticketResults();
  yield* registryResults();
}

const SUITES: Readonly<Record<string, () => AsyncGenerator<object>>> = {
  lease: leaseResults,
  platform: platformResults,
  tickets: ticketResults,
  rotation: rotationResults,
  spiffe: spiffeResults,
  vault: vaultResults,
};

const [name = 'spiffe'] = process.argv.slice(2);
const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined;
if (suite === undefined) {
  process.stderr.write(`${name} is no suite: there is ${Object.keys(SUITES).join(', ')}\n`);
  process.exit(2);
}
for await (const result of suite()) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if ('met' in result && result.met === false) process.exitCode = 1;
}
