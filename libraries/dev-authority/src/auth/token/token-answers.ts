import type { Token } from './token-store.ts';

/** `auth/token/lookup*`. */
export function describeToken(
  token: Token,
  nowMs: number,
  options: { hideId?: boolean } = {},
): Record<string, unknown> {
  const { expiresAtMs } = token;
  return {
    accessor: token.accessor,
    creation_time: Math.floor(token.issuedAtMs / 1000),
    creation_ttl: token.ttlSeconds,
    display_name: token.displayName,
    entity_id: token.entityId,
    expire_time: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString(),
    explicit_max_ttl: token.explicitMaxTtlSeconds,
    id: options.hideId === true ? '' : token.id,
    issue_time: new Date(token.issuedAtMs).toISOString(),
    ...(token.lastRenewalMs === null
      ? {}
      : {
          last_renewal: new Date(token.lastRenewalMs).toISOString(),
          last_renewal_time: Math.floor(token.lastRenewalMs / 1000),
        }),
    meta: token.meta,
    num_uses: token.usesLeft,
    orphan: token.parent === null,
    path: token.path,
    ...(token.periodSeconds > 0 ? { period: token.periodSeconds } : {}),
    policies: token.policies,
    renewable: token.renewable,
    ttl: expiresAtMs === null ? 0 : Math.max(0, Math.floor((expiresAtMs - nowMs) / 1000)),
    type: 'service',
  };
}
