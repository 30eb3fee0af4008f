import type { JwtSvidFetcher } from '@neural-hive/security/grpc';
import type { BoardEntry } from '@neural-hive/service-runtime';

/** Remembers the newest JWT-SVID that went through it, for the board: its source replaces it, nobody rotates it. */
export function jwtSvidEntry(
  source: JwtSvidFetcher,
  audience: string,
): { readonly source: JwtSvidFetcher; readonly entry: BoardEntry } {
  let latest = { generation: 0, ttlSeconds: 0, expiresAtMs: 0 };
  return {
    source: {
      fetchJwtSvid: async (request) => {
        const svid = await source.fetchJwtSvid(request);
        if (svid.expiresAtMs !== latest.expiresAtMs) {
          const ttlSeconds = Math.round((svid.expiresAtMs - (svid.issuedAtMs ?? Date.now())) / 1_000);
          latest = { generation: latest.generation + 1, ttlSeconds, expiresAtMs: svid.expiresAtMs };
        }
        return svid;
      },
    },
    entry: { name: `jwt-svid/${audience}`, kind: 'listed', describe: () => latest },
  };
}
