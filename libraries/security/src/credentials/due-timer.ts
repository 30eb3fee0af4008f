import { type Clock, type Random, systemClock, TimerQueue } from '../common/index.ts';
import { type Lifetime, renewalPointMs } from '../vault/index.ts';
import type { ObtainOptions, SupersededReason } from './credential.ts';

/** Calls back with `due` at a drawn point of a life that cannot be extended. The returned function ends that. */
export function whenDue(
  life: Lifetime,
  options: Pick<ObtainOptions, 'first' | 'reserveMs'> & { clock?: Clock; random?: Random },
  listener: (reason: SupersededReason) => unknown,
): () => void {
  const { clock = systemClock, random = Math.random, first, reserveMs } = options;
  const timers = new TimerQueue({ clock });
  const atMs = renewalPointMs(life, { first, reserveMs, random });
  timers.setTimer(atMs - clock.now(), () => listener('due'));
  return () => timers.clear();
}
