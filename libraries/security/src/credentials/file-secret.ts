import { readFile } from 'node:fs/promises';
import { type Clock, FileWatch, type Logger, messageOf, silentLogger, sleep, systemClock } from '../common/index.ts';
import type { CredentialProvider, Issued, SupersededReason } from './credential.ts';
import { CredentialError } from './errors.ts';

export interface FileSecretOptions<Name extends string, T> {
  /** What shows in logs and outcomes. Default `file`. */
  readonly name?: string;
  /** The files by the names that `parse` knows them by. */
  readonly files: Readonly<Record<Name, string>>;
  /** Makes the value of all texts together; throws when they are not whole. Its error must not quote them. */
  readonly parse: (texts: Readonly<Record<Name, string>>) => T;
  /** When the value ends by itself, in epoch milliseconds. Default: never. */
  readonly expiresAtMs?: (value: T) => number;
  /** Files that are not the same for so long are still being written. In milliseconds; default 50. */
  readonly settleMs?: number;
  /** How often they are read even if nothing reported a change. In milliseconds, from 50; default 2 000. */
  readonly pollMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** How often changing files are read before the reading is given up; the next change or poll begins anew. */
const READS = 20;

/**
 * A secret that something else writes into files, for instance the Vault Agent injector. New contents are a new
 * generation, whether a file is replaced, the link of a projected volume is swapped or a file is written in place.
 * What `parse` refuses or is still changing is not taken, and the old value stays. Nothing is revoked: that is up to
 * whoever writes.
 */
export function fileSecret<Name extends string, T>(options: FileSecretOptions<Name, T>): CredentialProvider<T> {
  const { name = 'file', files, parse, expiresAtMs = () => Number.POSITIVE_INFINITY, settleMs = 50 } = options;
  const { pollMs = 2_000, clock = systemClock, logger = silentLogger } = options;
  if (!Number.isFinite(pollMs) || pollMs < 50) throw new RangeError('pollMs: must be 50 or more');
  if (!Number.isFinite(settleMs) || settleMs < 0) throw new RangeError('settleMs: must be 0 or more');
  const names = Object.keys(files) as Name[];
  if (names.length === 0) throw new TypeError('files: must name a file');

  const readOnce = async (signal: AbortSignal): Promise<readonly string[]> =>
    Promise.all(names.map((key) => readFile(files[key], { encoding: 'utf8', signal })));

  /** All files as they are together, once nobody writes to them. */
  const read = async (signal: AbortSignal): Promise<{ texts: readonly string[]; value: T }> => {
    let texts = await readOnce(signal);
    for (let reads = 1; reads < READS; reads += 1) {
      await sleep(settleMs, { clock, signal });
      const again = await readOnce(signal);
      if (same(texts, again)) {
        return { texts, value: parse(Object.fromEntries(names.map((key, at) => [key, texts[at] ?? ''])) as never) };
      }
      texts = again;
    }
    throw new CredentialError('obtain-failed', `Reading ${name}: the files keep changing`, { retryable: true });
  };

  const watch = (held: readonly string[], listener: (reason: SupersededReason) => unknown): (() => void) => {
    const stop = new AbortController();
    const { signal } = stop;
    const end = (): void => {
      stop.abort();
      void watcher.close();
    };
    const onChange = async (): Promise<void> => {
      try {
        if (same(held, await readOnce(signal)) || same(held, (await read(signal)).texts) || signal.aborted) return;
        end();
        listener('changed');
      } catch (error) {
        if (!signal.aborted) logger.warn({ name, cause: messageOf(error) }, 'a secret in files cannot be taken');
      }
    };
    const watcher = new FileWatch({ files: Object.values(files), pollMs, onChange, clock, logger });
    return end;
  };

  return {
    name,
    async obtain({ signal }): Promise<Issued<T>> {
      const { texts, value } = await read(signal);
      return {
        value,
        issuedAtMs: clock.now(),
        expiresAtMs: expiresAtMs(value),
        revoke: () => Promise.resolve(),
        onSuperseded: (listener) => watch(texts, listener),
      };
    },
  };
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.every((text, index) => text === b[index]);
}
