import type { Answer, Call, Route } from '../api/route.ts';
import { childrenOf } from '../engines/kv/kv-answers.ts';
import { Fault, invalid, notFound } from '../fault.ts';
import type { Lease } from '../lease/lease-store.ts';
import type { Parts } from '../parts.ts';

/** `sys/leases`. */
export function leaseRoutes(parts: Parts): Route[] {
  const { leases, tokens, clock } = parts;

  const idOf = (call: Call): string => {
    const id = call.fields.text('lease_id') ?? call.params.id ?? '';
    if (id === '') throw invalid('lease_id must be specified');
    return id;
  };
  const lookup = (call: Call): Answer => {
    const lease = leases.find(idOf(call));
    if (lease === undefined) throw invalid('invalid lease');
    return { data: describeLease(lease, clock.now()), changed: false };
  };
  const renew = async (call: Call): Promise<Answer> => {
    const { lease, ttlSeconds, warnings } = await leases.renew(idOf(call), call.fields.seconds('increment'));
    return { lease: { id: lease.id, ttlSeconds, renewable: lease.renewable }, warnings };
  };
  /** Always tried before the answer; only with `sync` does a failure reach the caller. It is retried either way. */
  const revoke = async (call: Call): Promise<Answer> => {
    try {
      await leases.revoke(idOf(call));
    } catch (cause) {
      if (cause instanceof Fault && cause.code === 'invalid_request') throw cause;
      if (call.fields.flag('sync') === true) throw new Fault('internal', 'failed to revoke lease', { cause });
    }
    return {};
  };
  const prefixOf = (call: Call): string => (call.params.prefix ?? '').replace(/\/+$/, '');
  const revokePrefix = async (call: Call): Promise<Answer> => {
    const prefix = prefixOf(call);
    const results = await leases.revokeAll(leases.withPrefix(prefix));
    for (const token of [...tokens.all()]) if (isBelow(token.path, prefix) && prefix !== '') await tokens.revoke(token);
    const failed = results.filter((result) => result.status === 'rejected').length;
    if (failed > 0 && call.fields.flag('sync') !== false)
      throw new Fault('internal', `failed to revoke ${failed} leases: they are retried`);
    return {};
  };

  return [
    { path: 'leases/lookup', sudo: ['list'], write: lookup, list: listKeys },
    { path: 'leases/lookup/*prefix', sudo: true, list: listKeys },
    { path: 'leases/renew', write: renew },
    { path: 'renew', write: renew },
    { path: 'leases/renew/*id', write: renew },
    { path: 'leases/revoke', write: revoke },
    { path: 'revoke', write: revoke },
    { path: 'leases/revoke/*id', write: revoke },
    { path: 'leases/revoke-prefix/*prefix', sudo: true, write: revokePrefix },
    {
      path: 'leases/revoke-force/*prefix',
      sudo: true,
      write: async (call) => {
        await leases.forget(leases.withPrefix(prefixOf(call)));
        return {};
      },
    },
    {
      path: 'leases/count',
      sudo: true,
      read: () => {
        const counts = leases.counts();
        return { data: { lease_count: counts.active + counts.revoking, counts: { ...counts } } };
      },
    },
    {
      // Leases that are over for their holders and could not be undone yet.
      path: 'leases',
      sudo: true,
      read: () => {
        const stuck = [...leases.all()].filter((lease) => lease.failedRevocations > 0);
        return {
          data: {
            lease_count: stuck.length,
            leases: stuck.map((lease) => ({
              lease_id: lease.id,
              error: lease.lastError,
              attempts: lease.failedRevocations,
            })),
          },
        };
      },
    },
  ];

  function listKeys(call: Call): Answer {
    const keys = childrenOf(
      [...leases.all()].map((lease) => lease.id),
      prefixOf(call),
    );
    if (keys.length === 0) throw notFound();
    return { data: { keys } };
  }
}

function isBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

function describeLease(lease: Lease, nowMs: number): Record<string, unknown> {
  return {
    expire_time: new Date(lease.expiresAtMs).toISOString(),
    id: lease.id,
    issue_time: new Date(lease.issuedAtMs).toISOString(),
    last_renewal: lease.lastRenewalMs === null ? null : new Date(lease.lastRenewalMs).toISOString(),
    path: lease.path,
    renewable: lease.renewable && lease.state === 'active',
    ttl: Math.max(0, Math.floor((lease.expiresAtMs - nowMs) / 1000)),
  };
}
