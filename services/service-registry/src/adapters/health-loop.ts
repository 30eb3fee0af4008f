import { messageOf, systemClock, type Timer } from '@neural-hive/security/common';
import type { Logger } from '@neural-hive/service-runtime';
import { type HealthSweepOptions, sweepAgents } from '../domain/health-sweep.ts';

export interface HealthLoopOptions extends Omit<HealthSweepOptions, 'sinceMs'> {
  readonly intervalMs: number;
  readonly log: Logger;
}

/**
 * Looks at the agents again and again. Their absence counts from now on at the earliest, and after a time in which the
 * store could not be reached, and so no heartbeat kept, from its end.
 */
export function startHealthLoop(options: HealthLoopOptions): { close(): Promise<void> } {
  const { intervalMs, log, clock = systemClock, ...sweep } = options;
  let sinceMs = clock.now();
  let failed = false;
  let timer: Timer | undefined;
  let stopped = false;
  let running = Promise.resolve();
  const look = (): void => {
    if (failed) sinceMs = clock.now();
    running = sweepAgents({ ...sweep, sinceMs, clock })
      .then(
        () => {
          failed = false;
        },
        (error: unknown) => {
          failed = true;
          log.error({ error: messageOf(error) }, 'looking at the agents failed');
        },
      )
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
