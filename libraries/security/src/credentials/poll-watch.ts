import { type Clock, systemClock, TimerQueue } from '../common/index.ts';

export interface PollWatchOptions {
  /** Looks once. A rejection is a late look and no change. */
  readonly changed: (options: { readonly signal: AbortSignal }) => Promise<boolean>;
  /** Until the next look, in milliseconds. */
  readonly delayMs: () => number;
  /** Has `look` called at once when somebody knows of a change; gives back what ends that. */
  readonly notify?: ((look: () => void) => () => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** Looks again and again until something changed, then calls back once. The returned function ends it. */
export function pollUntilChanged(options: PollWatchOptions, onChanged: () => unknown): () => void {
  const { changed, delayMs, notify, clock = systemClock } = options;
  const stop = new AbortController();
  const timers = new TimerQueue({ clock });
  let looking = false;
  let again = false;
  const end = (): void => {
    stop.abort();
    timers.clear();
    unsubscribe();
  };
  const look = async (): Promise<void> => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    again = false;
    timers.clear();
    const found = await changed({ signal: stop.signal }).catch(() => false);
    looking = false;
    if (stop.signal.aborted) return;
    if (!found) {
      timers.setTimer(again ? 0 : delayMs(), () => void look());
      return;
    }
    end();
    onChanged();
  };
  timers.setTimer(delayMs(), () => void look());
  const unsubscribe = notify?.(() => void look()) ?? (() => undefined);
  return end;
}
