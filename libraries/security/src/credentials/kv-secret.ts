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
  /**
   * Writes the oldest version that is still in use here into the metadata of the secret, as `generation.<consumer>`, so
   * that `rotateKvUser` knows when an old login may go; removed when nothing is in use. Unique for each process. Needs
   * the capability `patch` on the metadata. Default: not reported.
   */
  readonly consumer?: string;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Of a custom metadata key, which Vault limits to 128 bytes. */
const CONSUMER_PATTERN = /^[\w.@:/-]{1,100}$/;

/** The metadata field with which a consumer reports. */
export function generationField(consumer: string): string {
  return `${GENERATION_PREFIX}${consumer}`;
}

export const GENERATION_PREFIX = 'generation.';

/** Versions that somebody in this process still uses; one may be in use twice. */
class VersionsInUse {
  readonly #versions: number[] = [];

  add(version: number): void {
    this.#versions.push(version);
  }

  remove(version: number): void {
    const at = this.#versions.indexOf(version);
    if (at >= 0) this.#versions.splice(at, 1);
  }

  oldest(): number | undefined {
    return this.#versions.length === 0 ? undefined : Math.min(...this.#versions);
  }
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
  const { consumer } = options;
  if (consumer !== undefined && !CONSUMER_PATTERN.test(consumer)) {
    throw new RangeError('consumer: must be 1 to 100 letters, digits and . _ - @ : /');
  }
  if (!Number.isFinite(pollMs) || pollMs < 50) throw new RangeError('pollMs: must be 50 or more');
  const engine = client.kv(mount);

  const inUse = new VersionsInUse();
  const report = async (signal?: AbortSignal): Promise<void> => {
    if (consumer === undefined) return;
    const customMetadata = { [generationField(consumer)]: inUse.oldest()?.toString() ?? null };
    await engine.patchMetadata(path, { customMetadata, signal });
  };

  /**
   * The newest version, reported before it is used. Somebody who wrote a newer one in between had perhaps looked
   * for reports before ours came, so the version is compared once more.
   */
  const readAndReport = async (signal: AbortSignal) => {
    for (;;) {
      const { data, version, createdAtMs } = await engine.read<Record<string, unknown>>(path, { signal });
      const secret = { value: parse(data), version, createdAtMs };
      if (consumer === undefined) return secret;
      inUse.add(version);
      try {
        await report(signal);
        const { currentVersion } = await engine.metadata(path, { signal });
        if (currentVersion === version) return secret;
      } catch (error) {
        inUse.remove(version);
        throw error;
      }
      inUse.remove(version);
    }
  };

  return {
    name: `${mount}/${path}`,
    async obtain({ signal }): Promise<Issued<T>> {
      const { value, version, createdAtMs } = await readAndReport(signal);
      let revoked = false;
      const watch = {
        changed: async (look: { signal: AbortSignal }): Promise<boolean> => {
          const { currentVersion, customMetadata } = await engine.metadata(path, look);
          if (currentVersion !== version) return true;
          // A report that failed, or that somebody has removed, is made up for.
          const due = consumer !== undefined && customMetadata[generationField(consumer)] !== String(inUse.oldest());
          if (due) await report(look.signal);
          return false;
        },
        // Up to a tenth apart, so that a fleet does not poll in step.
        delayMs: () => pollMs * (0.9 + 0.2 * random()),
        notify,
        clock,
      };
      return {
        value,
        issuedAtMs: createdAtMs,
        expiresAtMs: Number.POSITIVE_INFINITY,
        async revoke() {
          if (!revoked) inUse.remove(version);
          revoked = true;
          await report();
        },
        onSuperseded: (listener) => pollUntilChanged(watch, () => listener('changed')),
      };
    },
  };
}
