import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { RegisterRequest } from '@neural-hive/contracts/proto/service-registry';
import { MemoryStore, Registry, registerCommandOf } from '@neural-hive/service-registry';
import { atMost, type Bound } from './registry-bound.ts';
import { agentNamed, telemetryOf } from './registry-calls.ts';

/**
 * The memory of the process an agent, with its place in the index, its latest change and two heartbeats. Requests are
 * decoded as they come from the network, so that no agent shares a string with another.
 */
export async function* memoryResults(agents: number): AsyncGenerator<Bound> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const store = await MemoryStore.open({ journalPath: join(folder, 'journal') });
  try {
    const timing = { heartbeatTimeoutMs: 120_000 };
    const registry = new Registry({ store, timing, maxAgents: agents, maxAgentsPerIdentity: agents });
    const before = usedBytes();
    for (let from = 0; from < agents; from += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, offset) => {
          const request = RegisterRequest.decode(
            RegisterRequest.encode(agentNamed(from + offset, ['common'])).finish(),
          );
          const { agentId } = await registry.register(SPIFFE_IDS.worker, registerCommandOf(request));
          for (const beats of [1, 2]) {
            const { lastExecutionAt: lastExecutionAtMs, ...telemetry } = telemetryOf(beats);
            await registry.heartbeat(SPIFFE_IDS.worker, agentId, { ...telemetry, lastExecutionAtMs });
          }
        }),
      );
    }
    const bytes = (usedBytes() - before) / agents;
    yield atMost(`memory of the registry an agent, ${agents} agents`, bytes / 1_024, 5, 'KiB');
    if ((await store.snapshot()).agents.length !== agents) throw new Error('some agents are missing');
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
}

/** What is left after a collection, on the heap and beside it. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
