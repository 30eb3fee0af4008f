import type { Clock, Timer } from '../common/index.ts';

/** How often the wall clock is looked at. After a suspension of the machine a due moment is noticed this much later. */
const LOOK_MS = 5 * 60_000;

/**
 * Calls back once at `atMs` of the wall clock, or when as much time has passed as was left when it was set, whichever
 * comes first. Timers stand still while a machine is suspended and the wall clock does not; a wall clock that is set
 * back must not put off what the server counts in real time.
 */
export function setWallTimer(clock: Clock, atMs: number, callback: () => void): Timer {
  const untilMs = clock.monotonicMs() + Math.max(0, atMs - clock.now());
  let timer: Timer;
  const look = (): void => {
    const remainingMs = Math.min(untilMs - clock.monotonicMs(), atMs - clock.now());
    if (remainingMs <= 0) callback();
    else timer = clock.setTimer(Math.min(remainingMs, LOOK_MS), look);
  };
  timer = clock.setTimer(Math.min(Math.max(0, atMs - clock.now()), LOOK_MS), look);
  return { cancel: () => timer.cancel() };
}
