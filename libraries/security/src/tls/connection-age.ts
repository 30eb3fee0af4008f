import { type Clock, type Random, systemClock, type Timer } from '../common/index.ts';

/** How rotation reaches connections that would otherwise live on with the identity they were made with. */
export interface ConnectionAge {
  /**
   * After at most this time, in milliseconds, a connection takes no new work, and ends when what it carries is done.
   * The moment is drawn from the last tenth, so that connections made together do not end together. Default: no limit.
   */
  readonly maxAgeMs?: number;
  /** For what it still carries then, in milliseconds, default 30 000; after that it is destroyed. */
  readonly maxAgeGraceMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface AgedConnection {
  /** Takes no new work from now on. */
  retire(): void;
  destroy(): void;
}

const DEFAULT_GRACE_MS = 30_000;
const NEVER: Timer = { cancel: () => {} };

/**
 * What follows the age of one connection after another; cancel what it gives back when the connection ends.
 * @throws RangeError for an age or a grace that cannot be
 */
export function ageLimit(options: ConnectionAge): (connection: AgedConnection) => Timer {
  const { maxAgeMs, maxAgeGraceMs = DEFAULT_GRACE_MS, clock = systemClock, random = Math.random } = options;
  if (maxAgeMs === undefined) return () => NEVER;
  if (!(maxAgeMs > 0)) throw new RangeError('maxAgeMs must be more than 0');
  if (!(maxAgeGraceMs >= 0)) throw new RangeError('maxAgeGraceMs must be 0 or more');
  return (connection) => {
    let timer = clock.setTimer(maxAgeMs * (1 - random() / 10), () => {
      timer = clock.setTimer(maxAgeGraceMs, () => connection.destroy());
      connection.retire();
    });
    return { cancel: () => timer.cancel() };
  };
}
