import { messageOf, systemClock } from '@neural-hive/security/common';
import type { Logger } from '@neural-hive/service-runtime';
import { type HealthSweepOptions, sweepAgents } from '../domain/health-sweep.ts';

export interface HealthLoopOptions extends Omit<HealthSweepOptions, 'sinceMs'> {
  readonly intervalMs: number;
  readonly log: Logger;
}

/** Looks at the agents again and again, counting their absence from now on at the earliest. */
export function startHealthLoop(options: HealthLoopOptions): { close(): Promise<void> } {
  const { intervalMs, log, clock = systemClock, ...sweep } = options;
  const sinceMs = clock.now();
  const stopping = new AbortController();
  let running = Promise.resolve();
  const look = (): void => {
    running = sweepAgents({ ...sweep, sinceMs, clock })
      .catch((error: unknown) => log.error({ error: messageOf(error) }, 'looking at the agents failed'))
      .then(arm);
  };
  const arm = (): void => {
    if (stopping.signal.aborted) return;
    const timer = clock.setTimer(intervalMs, look);
    stopping.signal.addEventListener('abort', () => timer.cancel(), { once: true });
  };
  look();
  return {
    async close() {
      stopping.abort();
      await running;
    },
  };
}
