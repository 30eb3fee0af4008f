import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import {
  Client,
  type ClientDuplexStream,
  Server,
  type ServerDuplexStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { listenSpiffe, spiffeChannelCredentials } from '@neural-hive/security/grpc';
import { matchId, WorkloadApiClient, X509Source } from '@neural-hive/security/spiffe';
import { CertificateAuthority, WorkloadApiServer, WorkloadIssuer } from '@neural-hive/security/testing';
import { connectTls } from '@neural-hive/security/tls';

const ID = 'spiffe://example.org/rotating';
const STREAMS = 100;
const CONNECTIONS = 10;
const HANDSHAKE_EVERY = 10;
const SAMPLES = 20;
/** Growth of the heap over the second half that is taken for none. */
const FLAT_BYTES = 2 * 1024 * 1024;
const METHOD = '/bench.Echo/Stream';
const same = (bytes: Buffer): Buffer => bytes;
const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
const service: ServiceDefinition = { stream: { path: METHOD, requestStream: true, responseStream: true, ...codec } };

/** SVIDs change under open streams and new handshakes; what leaks shows in the heap. */
async function main(rotations: number): Promise<void> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  const folder = mkdtempSync(join(tmpdir(), 'rotation-'));
  const issuer = new WorkloadIssuer({ authority: CertificateAuthority.create('example.org') });
  const api = await WorkloadApiServer.listen({ issuer, path: join(folder, 'agent.sock'), ids: [ID] });
  const client = new WorkloadApiClient({ endpoint: api.endpoint });
  const identity = await X509Source.open({ client });
  const rules = { identity, authorize: matchId(ID) };
  const server = new Server();
  server.addService(service, {
    stream(call: ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (message: Buffer) => call.write(message)).on('end', () => call.end());
    },
  });
  const listener = await listenSpiffe(server, { ...rules, host: '127.0.0.1', port: 0 });
  const clients = Array.from(
    { length: CONNECTIONS },
    () =>
      new Client(`127.0.0.1:${listener.port}`, spiffeChannelCredentials(rules), {
        'grpc.use_local_subchannel_pool': 1,
      }),
  );
  const streams = Array.from({ length: STREAMS }, (_, index) => openStream(clients[index % CONNECTIONS] as Client));
  let failedStreams = 0;
  for (const stream of streams) stream.on('error', () => (failedStreams += 1));
  await Promise.all(streams.map(echo));

  const heap: number[] = [];
  let [handshakes, failedHandshakes] = [0, 0];
  for (let done = 1; done <= rotations; done += 1) {
    const updated = identity.waitForUpdate();
    issuer.rotateX509(ID);
    await updated;
    if (done % HANDSHAKE_EVERY === 0) {
      handshakes += 1;
      const socket = await connectTls({
        ...rules,
        host: '127.0.0.1',
        port: listener.port,
        alpnProtocols: ['h2'],
      }).catch(() => undefined);
      if (socket === undefined) failedHandshakes += 1;
      socket?.destroy();
    }
    if (done % Math.ceil(rotations / SAMPLES) === 0) {
      await Promise.all(streams.map(echo));
      await turn();
      collect();
      heap.push(process.memoryUsage().heapUsed);
    }
  }
  const middle = heap[Math.floor(heap.length / 2)] ?? 0;
  const growth = (heap.at(-1) ?? 0) - middle;
  const flat = growth < FLAT_BYTES;
  const kib = (bytes: number): number => Math.round(bytes / 1024);
  const result = {
    name: `${rotations} rotations under ${STREAMS} streams`,
    handshakes,
    failedHandshakes,
    failedStreams,
    heapKib: heap.map(kib),
    secondHalfGrowthKib: kib(growth),
    flat,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  for (const stream of streams) stream.on('error', () => undefined).cancel();
  for (const each of clients) each.close();
  await listener.destroy();
  server.forceShutdown();
  await identity.close();
  client.close();
  await api.close();
  issuer.close();
  rmSync(folder, { recursive: true, force: true });
  if (!flat || failedHandshakes > 0 || failedStreams > 0) process.exitCode = 1;
}

function openStream(client: Client): ClientDuplexStream<Buffer, Buffer> {
  return client.makeBidiStreamRequest(METHOD, same, same);
}

/** Resolves when the stream has carried a message there and back. */
function echo(stream: ClientDuplexStream<Buffer, Buffer>): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('data', () => {
      stream.off('error', reject);
      resolve();
    });
    stream.write(Buffer.from('still there?'));
  });
}

const at = process.argv.indexOf('--rotations');
await main(at === -1 ? 10_000 : Number(process.argv[at + 1]));
