import { realpathSync } from 'node:fs';
import { startSpire } from '@neural-hive/real-stack';
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { describeWorkloadApi, type WorkloadApiTarget } from '../../testing/workload-api-contract.ts';

// Each test waits for what the agent is told twice a second, or renews by itself.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

async function spire(): Promise<WorkloadApiTarget> {
  const stack = await startSpire({ x509TtlSeconds: 60 });
  const selectors = [`unix:path:${realpathSync(process.execPath)}`];
  let entryId: string | undefined;
  return {
    endpoint: stack.endpoint,
    id: 'spiffe://example.org/contract',
    async identify(id) {
      entryId = await stack.createEntry({ id, selectors });
    },
    async withdraw() {
      if (entryId !== undefined) await stack.deleteEntry(entryId);
      entryId = undefined;
    },
    // The agent replaces an SVID at half of its life.
    rotate: () => Promise.resolve(),
    async restart() {
      await stack.stopAgent();
      await stack.startAgent();
    },
    close: () => stack.stop(),
  };
}

describe("on SPIRE's agent", () => {
  describeWorkloadApi(spire, { describe, test, beforeAll, afterAll });
});
