import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { Pool } from 'undici';
import { type Batch, concurrently } from '../cpu-time.ts';
import { loadPeer } from '../peers.ts';
import { type Result, type Rounds, resultOf } from '../result.ts';

const WIDTH = 32;
const CONNECTIONS = 16;
const ROUNDS = 9;
const TOKEN = 's.bench';
const PATH = 'secret/data/orchestrator/mongodb';

interface Sample {
  readonly rate: number;
  readonly cpuMicros: number;
}

/** Reads of one KV secret over TLS, 32 at a time: ours, the same requests on bare undici, and node-vault. */
export async function* kvReadResults(): AsyncGenerator<Result> {
  await using server = await startServer();
  const { address, ca } = server;
  const auth = tokenAuth({ token: TOKEN });
  const client = await VaultClient.open({ address, ca, auth, connections: CONNECTIONS });
  const kv = client.kv();
  const pool = new Pool(address, { connections: CONNECTIONS, connect: { ca } });
  const bare = async (): Promise<unknown> => {
    const { body } = await pool.request({ method: 'GET', path: `/v1/${PATH}`, headers: { 'x-vault-token': TOKEN } });
    return body.json();
  };
  const nodeVault = loadPeer('node-vault') as (options: object) => { read(path: string): Promise<unknown> };
  const peer = nodeVault({ endpoint: address, token: TOKEN, requestOptions: { ca } });
  try {
    const ours = concurrently(WIDTH, () => kv.read('orchestrator/mongodb'));
    const undici = concurrently(WIDTH, bare);
    const both = await compare(ours, undici, 3_000, 3_000);
    yield resultOf('KV read, 32 at a time over TLS / bare undici', 'calls per second', both.rates);
    yield resultOf('KV read, 32 at a time over TLS / bare undici', 'µs CPU a call', both.cpu);
    const other = await compare(
      ours,
      concurrently(WIDTH, () => peer.read(PATH)),
      3_000,
      200,
    );
    yield resultOf('KV read, 32 at a time over TLS / node-vault', 'calls per second', other.rates);
    yield resultOf('KV read, 32 at a time over TLS / node-vault', 'µs CPU a call', other.cpu);
  } finally {
    await client.destroy();
    await pool.destroy();
  }
}

async function compare(ours: Batch, peer: Batch, ourCount: number, peerCount: number) {
  await ours(ourCount);
  await peer(peerCount);
  const samples: { ours: Sample[]; peer: Sample[] } = { ours: [], peer: [] };
  for (let index = 0; index < ROUNDS; index += 1) {
    const ourTurn = async (): Promise<unknown> => samples.ours.push(await measure(ours, ourCount));
    const peerTurn = async (): Promise<unknown> => samples.peer.push(await measure(peer, peerCount));
    for (const side of index % 2 === 0 ? [ourTurn, peerTurn] : [peerTurn, ourTurn]) await side();
  }
  const of = (pick: (sample: Sample) => number): Rounds => ({
    ours: samples.ours.map(pick),
    peer: samples.peer.map(pick),
  });
  return { rates: of(({ rate }) => rate), cpu: of(({ cpuMicros }) => cpuMicros) };
}

async function measure(batch: Batch, count: number): Promise<Sample> {
  const [startMs, cpu] = [performance.now(), process.cpuUsage()];
  await batch(count);
  const { user, system } = process.cpuUsage(cpu);
  return { rate: (count * 1000) / (performance.now() - startMs), cpuMicros: (user + system) / count };
}

async function startServer(): Promise<{ address: string; ca: string; [Symbol.asyncDispose](): Promise<void> }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('kv-server.js', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { port, ca } = JSON.parse(line) as { port: number; ca: string };
    return { address: `https://127.0.0.1:${port}`, ca, [Symbol.asyncDispose]: async () => void child.stdin.end() };
  }
  throw new Error('the server to read from ended before it was ready');
}
