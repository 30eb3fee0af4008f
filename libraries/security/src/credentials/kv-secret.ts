import type { Clock, Random } from '../common/index.ts';
import type { VaultClient } from '../vault/index.ts';
import type { CredentialProvider, Issued } from './credential.ts';
import { pollUntilChanged } from './poll-watch.ts';

export interface KvSecretOptions<T> {
  /** Default `secret`. */
  readonly mount?: string;
  /** How often the version is compared. In milliseconds, from 50; default 5 000. */
  readonly pollMs?: number;
  /**
   * Has `look` called when an event says that the secret may have changed, so that nobody waits for the next comparison;
   * gives back what ends that. Events get lost, so the comparing goes on.
   */
  readonly notify?: (look: () => void) => () => void;
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
  const { mount = 'secret', pollMs = 5_000, notify, clock, random = Math.random } = options;
  const { parse = (data: Readonly<Record<string, unknown>>) => data as T } = options;
  if (!Number.isFinite(pollMs) || pollMs < 50) throw new RangeError('pollMs: must be 50 or more');
  const engine = client.kv(mount);
  return {
    name: `${mount}/${path}`,
    async obtain({ signal }): Promise<Issued<T>> {
      const { data, version, createdAtMs } = await engine.read<Record<string, unknown>>(path, { signal });
      const watch = {
        changed: async (look: { signal: AbortSignal }) =>
          (await engine.metadata(path, look)).currentVersion !== version,
        // Up to a tenth apart, so that a fleet does not poll in step.
        delayMs: () => pollMs * (0.9 + 0.2 * random()),
        notify,
        clock,
      };
      return {
        value: parse(data),
        issuedAtMs: createdAtMs,
        expiresAtMs: Number.POSITIVE_INFINITY,
        revoke: () => Promise.resolve(),
        onSuperseded: (listener) => pollUntilChanged(watch, () => listener('changed')),
      };
    },
  };
}
