import type pg from 'pg';
import { type Clock, sleep } from '../../common/index.ts';
import { CredentialError, type DrainOptions } from '../../credentials/index.ts';

/** The parts of a client that its types leave out, or that this module must not assume. */
type Closable = pg.ClientBase & { readonly connection?: { readonly stream: { destroy(error?: Error): unknown } } };

/** The open sessions of a pool, each with the generation of the credential it was opened with. */
export class Sessions {
  readonly #generations = new Map<pg.ClientBase, number>();
  #waiting: { readonly generation: number; readonly resolve: () => void }[] = [];

  /** Counts a session from its first byte to its last, so that one which is still connecting is not overlooked. */
  add(client: pg.ClientBase, generation: number): void {
    this.#generations.set(client, generation);
    client.once('end', () => {
      this.#generations.delete(client);
      this.#waiting = this.#waiting.filter((waiting) => {
        if (this.upTo(waiting.generation).length > 0) return true;
        waiting.resolve();
        return false;
      });
    });
  }

  generationOf(client: pg.ClientBase): number | undefined {
    return this.#generations.get(client);
  }

  /** Those opened with `generation` or an older one. */
  upTo(generation: number): pg.ClientBase[] {
    return [...this.#generations].filter(([, opened]) => opened <= generation).map(([client]) => client);
  }

  /** Resolves when none of `generation` or an older one is left. */
  noneUpTo(generation: number): Promise<void> {
    if (this.upTo(generation).length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ generation, resolve }));
  }
}

/** Ends a session at once. What runs on it, and what is tried on it later, fails with `error`. */
export function terminateSession(client: pg.ClientBase, error: CredentialError): void {
  // The pool takes its own listener off while a client is checked out; without one the event would end the process.
  client.on('error', () => undefined);
  const { connection } = client as Closable;
  Object.defineProperty(client, 'query', {
    configurable: true,
    value: (...args: unknown[]) => {
      const callback = args.findLast((arg) => typeof arg === 'function') as ((error: Error) => void) | undefined;
      if (callback === undefined) return Promise.reject(error);
      process.nextTick(callback, error);
      return undefined;
    },
  });
  connection?.stream.destroy(error);
}

/** Waits for the sessions of `generation` and older ones to end; at the deadline it ends those that are left. */
export async function drainSessions(
  sessions: Sessions,
  { generation, name }: { readonly generation: number; readonly name: string },
  { deadlineMs, signal, clock }: DrainOptions & { readonly clock: Clock },
): Promise<{ terminated: number }> {
  const waitMs = Math.max(0, deadlineMs - clock.now());
  const over = new AbortController();
  const limit = sleep(waitMs, { clock, signal: AbortSignal.any([signal, over.signal]) });
  await Promise.race([sessions.noneUpTo(generation), limit.catch(() => undefined)]);
  over.abort();
  const stragglers = sessions.upTo(generation);
  for (const client of stragglers) {
    const opened = sessions.generationOf(client);
    const message = `Draining ${name}: a session of generation ${opened} was busy past the deadline and was ended; run the work again`;
    terminateSession(client, new CredentialError('session-terminated', message, { retryable: true }));
  }
  if (stragglers.length > 0) await sessions.noneUpTo(generation);
  return { terminated: stragglers.length };
}
