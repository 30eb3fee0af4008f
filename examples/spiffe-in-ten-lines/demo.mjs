// The example with an agent that is started for it: nothing has to be there but Node and npm.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startAgent } from './agent.mjs';

const RUN_MS = 15_000;
const TTL_SECONDS = 6;

const agent = await startAgent(['spiffe://example.org/api', 'spiffe://example.org/web'], TTL_SECONDS);
const run = (program, env) =>
  spawn(process.execPath, [join(import.meta.dirname, program)], { stdio: ['ignore', 'pipe', 'inherit'], env });
const service = run('service.mjs', { SPIFFE_ENDPOINT_SOCKET: agent.endpoints[0], PORT: '0' });
const [line] = await once(createInterface({ input: service.stdout }), 'line');
const SERVICE_URL = `https://127.0.0.1:${JSON.parse(line).port}`;
console.error(`SVIDs live ${TTL_SECONDS} s. The caller works for ${RUN_MS / 1000} s:`);
const caller = run('caller.mjs', { SPIFFE_ENDPOINT_SOCKET: agent.endpoints[1], SERVICE_URL });
caller.stdout.pipe(process.stdout);
setTimeout(() => caller.kill('SIGINT'), RUN_MS);
const [code] = await once(caller, 'exit');
service.kill('SIGINT');
await once(service, 'exit');
await agent.stop();
process.exitCode = code ?? 1;
