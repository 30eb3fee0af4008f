import { messageOf, systemClock, type Timer } from '@neural-hive/security/common';
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
  let timer: Timer | undefined;
  let stopped = false;
  let running = Promise.resolve();
  const look = (): void => {
    running = sweepAgents({ ...sweep, sinceMs, clock })
      .catch((error: unknown) => log.error({ error: messageOf(error) }, 'looking at the agents failed'))
      .then(arm);
  };
  const arm = (): void => {
    if (!stopped) timer = clock.setTimer(intervalMs, look);
  };
  look();
  return {
    async close() {
      stopped = true;
      timer?.cancel();
      await running;
    },
  };
}
