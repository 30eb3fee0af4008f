import type { ClientReadableStream } from '@grpc/grpc-js';
import { type Clock, fullJitterMs, type Random, sleep } from '../../common/index.ts';
import { SpiffeError } from '../spiffe-error.ts';
import { isFinal, workloadApiError } from './status.ts';

export interface WatchHandler<T> {
  /** A message that is whole. */
  update(value: T): void;
  /** A message that was discarded, or a stream that ended badly. The watch goes on unless the error is final. */
  error?(error: SpiffeError): void;
}

export interface WatchLoop<Message, T> extends WatchHandler<T> {
  readonly call: string;
  open(): ClientReadableStream<Message>;
  parse(message: Message): T;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

const BACKOFF = { baseMs: 200, capMs: 5_000 };
/** A stream that lived this long was healthy. */
const HEALTHY_MS = 1_000;

/**
 * Follows a stream until aborted and opens it again when it ends: at once after one that brought a message, with
 * jittered backoff of at most 5 s after a failure (W-02, E-09, E-10). An agent that ends each stream after its first
 * message meets the backoff too.
 * @throws SpiffeError `WORKLOAD_API_INVALID_ARGUMENT` or `WORKLOAD_API_UNIMPLEMENTED`: those are final
 */
export async function watchStream<Message, T>(loop: WatchLoop<Message, T>): Promise<void> {
  const { clock, random, signal } = loop;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const openedMs = clock.monotonicMs();
    const outcome = await followOnce(loop);
    if (signal.aborted) return;
    if (outcome.error !== undefined) {
      loop.error?.(outcome.error);
      if (isFinal(outcome.error)) throw outcome.error;
    }
    if (outcome.processed && clock.monotonicMs() - openedMs >= HEALTHY_MS) attempt = 0;
    if (outcome.processed && attempt === 0) continue;
    try {
      await sleep(fullJitterMs(attempt, { ...BACKOFF, random }), { clock, signal });
    } catch {
      return;
    }
  }
}

/** One stream, until it ends for whatever reason. A server that cancels it is a server that went away. */
function followOnce<Message, T>(loop: WatchLoop<Message, T>): Promise<{ processed: boolean; error?: SpiffeError }> {
  return new Promise((resolve) => {
    let processed = false;
    const stream = loop.open();
    const onAbort = (): void => stream.cancel();
    const end = (error?: SpiffeError): void => {
      loop.signal.removeEventListener('abort', onAbort);
      resolve(error === undefined ? { processed } : { processed, error });
    };
    loop.signal.addEventListener('abort', onAbort, { once: true });
    stream.on('data', (message: Message) => {
      try {
        const value = loop.parse(message);
        processed = true;
        loop.update(value);
      } catch (error) {
        loop.error?.(error instanceof SpiffeError ? error : workloadApiError(loop.call, error));
      }
    });
    stream.once('error', (error) => end(workloadApiError(loop.call, error)));
    stream.once('end', () => end());
  });
}
