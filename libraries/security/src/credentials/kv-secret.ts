import { type Clock, type Random, systemClock, type Timer } from '../common/index.ts';
import type { VaultClient } from '../vault/index.ts';
import type { CredentialProvider, Issued, SupersededReason } from './credential.ts';

export interface KvSecretOptions<T> {
  /** Default `secret`. */
  readonly mount?: string;
  /** How often the version is compared. In milliseconds, from 50; default 5 000. */
  readonly pollMs?: number;
  /** Checks and shapes what is stored; throws when it is not what the consumers need. Default: as stored. */
  readonly parse?: (data: Readonly<Record<string, unknown>>) => T;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * A secret in the KV engine that somebody else changes. Its metadata is polled; a new version is a new generation.
 * There is no lease and nothing to revoke: whoever writes the secret ends the old value, after the readers have moved.
 */
export function kvSecret<T = Readonly<Record<string, unknown>>>(
  client: VaultClient,
  path: string,
  options: KvSecretOptions<T> = {},
): CredentialProvider<T> {
  const { mount = 'secret', pollMs = 5_000, clock = systemClock, random = Math.random } = options;
  const { parse = (data: Readonly<Record<string, unknown>>) => data as T } = options;
  if (!Number.isFinite(pollMs) || pollMs < 50) throw new RangeError('pollMs: must be 50 or more');
  const engine = client.kv(mount);

  /** Calls back once when the stored version is another than `version`. A failed poll is only a late one. */
  const watch = (version: number, listener: (reason: SupersededReason) => unknown): (() => void) => {
    const stop = new AbortController();
    let timer: Timer | undefined;
    const arm = (): void => {
      // Up to a tenth apart, so that a fleet does not poll in step.
      timer = clock.setTimer(pollMs * (0.9 + 0.2 * random()), () => void poll());
    };
    const poll = async (): Promise<void> => {
      try {
        const { currentVersion } = await engine.metadata(path, { signal: stop.signal });
        if (stop.signal.aborted) return;
        if (currentVersion !== version) return void listener('changed');
      } catch {
        if (stop.signal.aborted) return;
      }
      arm();
    };
    arm();
    return () => {
      stop.abort();
      timer?.cancel();
    };
  };

  return {
    name: `${mount}/${path}`,
    async obtain({ signal }): Promise<Issued<T>> {
      const { data, version, createdAtMs } = await engine.read<Record<string, unknown>>(path, { signal });
      return {
        value: parse(data),
        issuedAtMs: createdAtMs,
        expiresAtMs: Number.POSITIVE_INFINITY,
        revoke: () => Promise.resolve(),
        onSuperseded: (listener) => watch(version, listener),
      };
    },
  };
}
