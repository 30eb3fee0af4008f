import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import type { LeaseInfo, VaultHealth } from '../vault/index.ts';
import { securityHealth } from './security-health.ts';

const clock = new FakeClock();
const now = clock.now();
const SERVER = { initialized: true, sealed: false, standby: false } as VaultHealth['server'];

const vault = (health: Partial<VaultHealth> = {}) => ({
  health: async (): Promise<VaultHealth> => ({
    state: 'healthy',
    server: SERVER,
    breaker: 'closed',
    tokenExpiresAtMs: now + 600_000,
    ...health,
  }),
});
const lease = (info: Partial<LeaseInfo> = {}): LeaseInfo => ({
  leaseId: 'a/1',
  issuedAtMs: now,
  expiresAtMs: now + 300_000,
  renewable: true,
  tokenGeneration: 1,
  state: 'active',
  ...info,
});
const leases = (...list: LeaseInfo[]) => ({ list: () => list });
const credential = (expiresAtMs: number, lastError?: unknown) => ({
  name: 'database/app',
  lastError,
  current: () => ({ expiresAtMs }),
});
const identity = (state: 'healthy' | 'degraded' | 'unhealthy', expiresAtMs = now + 60_000) => ({
  health: () => ({ state, expiresAtMs, ...(state === 'healthy' ? {} : { lastError: new Error('the agent is away') }) }),
});

test('everything that holds and is renewed is healthy', async () => {
  const health = await securityHealth({
    vault: vault(),
    leases: leases(
      lease(),
      lease({ ending: 'max-ttl' }),
      lease({ ending: 'due' }),
      lease({ ending: 'token-replaced' }),
    ),
    credentials: [credential(now + 1_000), credential(Number.POSITIVE_INFINITY)],
    identities: { x509: identity('healthy') },
    clock,
  });
  expect(health).toEqual({ state: 'healthy', reasons: [], msLeft: undefined });
  expect(await securityHealth({})).toMatchObject({ state: 'healthy' });
});

describe('what holds and cannot be renewed is degraded, with the time that is left', () => {
  test.each([
    [
      'a server that is away',
      { vault: vault({ state: 'unhealthy', server: undefined, lastError: 'refused' }) },
      600_000,
    ],
    [
      'a sealed server',
      { vault: vault({ state: 'unhealthy', server: { ...SERVER, sealed: true } as never }) },
      600_000,
    ],
    ['a login that failed', { vault: vault({ state: 'degraded', lastError: 'denied' }) }, 600_000],
    ['an open breaker', { vault: vault({ breaker: 'open' }) }, 600_000],
    ['renewals that fail', { leases: leases(lease({ failedRenewals: 2 })) }, 300_000],
    ['a lease that was refused', { leases: leases(lease({ ending: 'renewal-refused' })) }, 300_000],
    ['a rotation that failed', { credentials: [credential(now + 5_000, new Error('probe'))] }, 5_000],
    ['an agent that is away', { identities: { x509: identity('degraded') } }, 60_000],
  ])('%s', async (_what, parts, msLeft) => {
    const health = await securityHealth({ ...parts, clock });
    expect(health).toMatchObject({ state: 'degraded', msLeft });
    expect(health.reasons).toHaveLength(1);
  });

  test('the first end counts, and every reason is told', async () => {
    const health = await securityHealth({
      vault: vault({ breaker: 'open' }),
      leases: leases(lease({ failedRenewals: 1 })),
      identities: { x509: identity('degraded') },
      clock,
    });
    expect(health).toEqual({
      state: 'degraded',
      msLeft: 60_000,
      reasons: ['vault: the breaker is open', 'lease a/1: 1 renewals failed', 'identity x509: the agent is away'],
    });
  });
});

describe('what has ended or is missing is unhealthy', () => {
  const closed = {
    ...credential(0),
    current: (): never => {
      throw new Error('it was closed');
    },
  };
  test.each([
    ['a token that ended', { vault: vault({ state: 'unhealthy', tokenExpiresAtMs: now }) }],
    ['a Vault that was expected', { vaultExpected: true }],
    ['a credential that ended', { credentials: [credential(now)] }],
    ['a credential that was closed', { credentials: [closed] }],
    ['an SVID that was withdrawn', { identities: { x509: identity('unhealthy') } }],
    ['a lost lease that is still used', { leases: leases(lease({ ending: 'lost', expiresAtMs: now - 1 })) }],
  ])('%s', async (_what, parts) => {
    const health = await securityHealth({ ...parts, clock });
    expect(health).toMatchObject({ state: 'unhealthy', msLeft: 0 });
    expect(health.reasons).toHaveLength(1);
  });
});
