import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Client } from '@grpc/grpc-js';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { concurrently } from '../cpu-time.ts';
import { percentile, type Result, resultOf } from '../result.ts';
import { atLeast, type Bound } from './registry-bound.ts';
import { beat, discover, registerAgents } from './registry-calls.ts';
import { RegistryStage } from './registry-stage.ts';

const ROUNDS = 120;
const CALLS = 100;
const WARM_UP_CALLS = 3_000;
const WIDTH = 16;
const AGENTS = 100;
const PROGRAM = fileURLToPath(new URL('./registry-server.js', import.meta.url));

/** A registry in a process of its own, with a client of it. */
interface Side {
  readonly client: Client;
  readonly agentIds: readonly string[];
  /** Microseconds. */
  cpuTime(): Promise<number>;
}

type Operation = (side: Side, index: number) => Promise<unknown>;

const CALL_KINDS: Readonly<Record<string, Operation>> = {
  heartbeats: ({ client, agentIds }, index) => beat(client, agentIds[index % AGENTS] ?? '', index),
  discoveries: ({ client }) => discover(client, 'common'),
};

/**
 * What the tokens of calls cost the registry: its throughput beside that of the same registry, over the same mutual TLS,
 * whose calls carry none. Counted is the CPU time of the registry's process. Of each side's rounds the quarter counts that
 * the machine disturbed least: what disturbs only ever adds.
 */
export async function* authenticationResults(): AsyncGenerator<Result | Bound> {
  const stage = await RegistryStage.open();
  const children: ChildProcess[] = [];
  try {
    const ours = await openSide(stage, children, true);
    const peer = await openSide(stage, children, false);
    for (const [what, operation] of Object.entries(CALL_KINDS)) {
      const rounds: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
      for (const side of [ours, peer]) await perSecond(side, operation, WARM_UP_CALLS);
      for (let round = 0; round < ROUNDS; round += 1) {
        rounds.ours.push(await perSecond(ours, operation));
        rounds.peer.push(await perSecond(peer, operation));
      }
      const best = { ours: [percentile(rounds.ours, 0.75)], peer: [percentile(rounds.peer, 0.75)] };
      const result = resultOf(`${what} with tokens / without`, 'per second of CPU time of the registry', best);
      yield { ...result, runs: ROUNDS };
      yield atLeast(`${what} with tokens / without`, result.ratio, 0.9, 'of the throughput');
    }
  } finally {
    for (const child of children) child.disconnect();
    await stage.close();
  }
}

/** Calls a second of CPU time. */
async function perSecond(side: Side, operation: Operation, count = CALLS): Promise<number> {
  const before = await side.cpuTime();
  await concurrently(WIDTH, (index) => operation(side, index))(count);
  return (count * 1e6) / ((await side.cpuTime()) - before);
}

async function openSide(stage: RegistryStage, children: ChildProcess[], token: boolean): Promise<Side> {
  const endpoint = await stage.endpointOf(SPIFFE_IDS.registry);
  const child = fork(PROGRAM, [endpoint, stage.folder, token ? 'tokens' : '']);
  children.push(child);
  const [port] = (await once(child, 'message')) as [number];
  const client = await stage.clientOf(SPIFFE_IDS.worker, port, { token });
  const agentIds = await registerAgents(client, 0, AGENTS, ['common']);
  return {
    client,
    agentIds,
    async cpuTime() {
      const answer = once(child, 'message') as Promise<[NodeJS.CpuUsage]>;
      child.send('cpu');
      const [{ user, system }] = await answer;
      return user + system;
    },
  };
}
