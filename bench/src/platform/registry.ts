import { SPIFFE_IDS } from '@neural-hive/contracts';
import { concurrently } from '../cpu-time.ts';
import { median, type Result, resultOf } from '../result.ts';
import { authenticationResults } from './registry-authentication.ts';
import { atLeast, atMost, type Bound } from './registry-bound.ts';
import { beat, discover, registerAgents } from './registry-calls.ts';
import { memoryResults } from './registry-memory.ts';
import { type RegistryProcess, RegistryStage } from './registry-stage.ts';

const AGENTS = 10_000;
/** As many of them have what a discovery asks for. */
const MATCHING = 100;
const ROUNDS = 9;
const DISCOVERIES = 300;
const HEARTBEATS = 2_000;
const WIDTH = 32;
const WARM_UP_CALLS = 2_000;

/** The registry as a process of its own, over mTLS and with tokens, with ten thousand agents. */
export async function* registryResults(): AsyncGenerator<Result | Bound> {
  const stage = await RegistryStage.open();
  try {
    const registry = await stage.startRegistry();
    const worker = await stage.clientOf(SPIFFE_IDS.worker, registry.port);
    const orchestrator = await stage.clientOf(SPIFFE_IDS.orchestrator, registry.port);

    const agentIds = await registerAgents(worker, 0, MATCHING, ['common', 'rare']);
    // Code that runs for the first time costs more than ten thousand agents.
    await concurrently(WIDTH, () => discover(orchestrator, 'rare'))(WARM_UP_CALLS);
    const few = await cpuTimes(registry, DISCOVERIES, () => discover(orchestrator, 'rare'));
    agentIds.push(...(await registerAgents(worker, MATCHING, AGENTS, ['common'])));
    const many = await cpuTimes(registry, DISCOVERIES, () => discover(orchestrator, 'rare'));
    const all = await cpuTimes(registry, DISCOVERIES, () => discover(orchestrator, 'common'));
    const what = 'CPU time of the registry a discovery';
    yield atMost(`${what}, ${AGENTS} agents of which ${MATCHING} match`, median(many), 0.5, 'ms');
    yield atMost(`${what}, ${AGENTS} agents of which all match`, median(all), 0.5, 'ms');
    yield resultOf(`${what}, ${MATCHING} match: ${AGENTS} agents / ${MATCHING} agents`, 'ms', {
      ours: many,
      peer: few,
    });

    let next = 0;
    const nextBeat = (): Promise<unknown> => {
      next += 1;
      return beat(worker, agentIds[next % agentIds.length] ?? '', next);
    };
    const beats = await cpuTimes(registry, HEARTBEATS, nextBeat);
    yield atLeast('heartbeats a second of CPU time of the registry', 1_000 / median(beats), 2_000, 'per second');
  } finally {
    await stage.close();
  }
  yield* authenticationResults();
  yield* memoryResults(AGENTS);
}

/** CPU milliseconds of the registry a call, one figure a round. */
async function cpuTimes(registry: RegistryProcess, count: number, call: () => Promise<unknown>): Promise<number[]> {
  const batch = concurrently(WIDTH, call);
  await batch(count);
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await registry.cpuMs();
    await batch(count);
    figures.push(((await registry.cpuMs()) - before) / count);
  }
  return figures;
}
