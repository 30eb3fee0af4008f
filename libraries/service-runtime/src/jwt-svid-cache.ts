import { TokenCache, type TokenCacheMetrics } from '@neural-hive/security/cache';
import type { JwtSource, JwtSvid } from '@neural-hive/security/spiffe';
import type { BoardEntry, CredentialDescription } from './board-entry.ts';
import type { Logger } from './logger.ts';
import type { SecuritySettings } from './security-settings.ts';

export interface JwtSvidCacheOptions {
  readonly source: Pick<JwtSource, 'fetchJwtSvid'>;
  readonly settings: SecuritySettings['tokenCache'];
  readonly metrics?: TokenCacheMetrics;
  readonly logger?: Logger;
}

/** The JWT-SVIDs that a service shows to others, by audience, as `SECURITY_TOKEN_CACHE_*` says. */
export class JwtSvidCache {
  readonly #cache: TokenCache<JwtSvid>;
  readonly #newest = new Map<string, CredentialDescription>();

  constructor({ source, settings, metrics, logger }: JwtSvidCacheOptions) {
    this.#cache = new TokenCache({
      ...settings,
      ...(metrics !== undefined && { metrics }),
      ...(logger !== undefined && { logger }),
      fetch: async (key, { signal }) => {
        const svid = await source.fetchJwtSvid({ audience: JSON.parse(key) as string[], signal });
        this.#remember(key, svid);
        const { expiresAtMs, issuedAtMs } = svid;
        return { value: svid, expiresAtMs, ...(issuedAtMs !== undefined && { issuedAtMs }) };
      },
    });
  }

  /** @throws What the source throws when there is none to serve */
  fetchJwtSvid({ audience, signal }: { audience: string | readonly string[]; signal?: AbortSignal }): Promise<JwtSvid> {
    return this.#cache.get(keyOf(audience), { signal });
  }

  /** The tokens for one audience as an entry of the board. Its source replaces them, nobody rotates them. */
  entry(audience: string): BoardEntry {
    const none: CredentialDescription = { generation: 0, ttlSeconds: 0, expiresAtMs: 0 };
    return {
      name: `jwt-svid/${audience}`,
      kind: 'listed',
      describe: () => this.#newest.get(keyOf(audience)) ?? none,
    };
  }

  /** Forgets all tokens. Idempotent. */
  close(): void {
    this.#cache.close();
  }

  #remember(key: string, { expiresAtMs, issuedAtMs }: JwtSvid): void {
    const known = this.#newest.get(key);
    if (known?.expiresAtMs === expiresAtMs) return;
    const ttlSeconds = Math.round((expiresAtMs - (issuedAtMs ?? Date.now())) / 1_000);
    this.#newest.set(key, { generation: (known?.generation ?? 0) + 1, ttlSeconds, expiresAtMs });
  }
}

function keyOf(audience: string | readonly string[]): string {
  return JSON.stringify(typeof audience === 'string' ? [audience] : [...audience].sort());
}
