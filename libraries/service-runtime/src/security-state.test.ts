import type { LeaseInfo, VaultHealth } from '@neural-hive/security/vault';
import { expect, test } from 'vitest';
import { SecurityState } from './security-state.ts';

const nowMs = Date.now();
const svid = { state: 'healthy', expiresAtMs: nowMs + 60_000 } as const;
const identities = { x509: { health: () => svid } };

function clientOf(changes: Partial<VaultHealth> = {}, leases: readonly LeaseInfo[] = []) {
  const health: VaultHealth = {
    state: 'healthy',
    server: { initialized: true, sealed: false } as NonNullable<VaultHealth['server']>,
    breaker: 'closed',
    tokenExpiresAtMs: nowMs + 30_000,
    ...changes,
  };
  return { health: async () => health, leases: { list: () => leases } } as unknown as Parameters<
    SecurityState['useVault']
  >[0];
}

const lease = { leaseId: 'database/creds/r/1', state: 'active', expiresAtMs: nowMs + 9_000 } as LeaseInfo;

test('what holds and is renewed is healthy, and each part is shown', async () => {
  const state = new SecurityState({ failOpen: false, identities });
  state.useVault(clientOf({}, [lease]));
  expect(await state.health()).toEqual({
    ok: true,
    state: 'healthy',
    reasons: [],
    msLeft: undefined,
    tokenExpiresAtMs: nowMs + 30_000,
    breaker: 'closed',
    leases: { active: 1, failing: 0, ending: 0 },
    svids: { x509: 'healthy' },
  });
});

test('what cannot be renewed is degraded for as long as it holds, and worth keeping', async () => {
  const state = new SecurityState({ failOpen: false, identities });
  state.useVault(clientOf({ lastError: 'away' }, [{ ...lease, state: 'failing', failedRenewals: 2 }]));
  const health = await state.health();
  expect(health).toMatchObject({ ok: true, state: 'degraded', leases: { failing: 1 } });
  expect(health.reasons).toEqual([
    'vault: the latest renewal or login failed: away',
    'lease database/creds/r/1: 2 renewals failed',
  ]);
  expect(health.msLeft).toBeGreaterThan(0);
  expect(health.msLeft).toBeLessThanOrEqual(9_000);
});

test('a credential that has ended makes it unhealthy', async () => {
  const state = new SecurityState({ failOpen: false, identities });
  state.useVault(clientOf());
  expect(await state.health()).toMatchObject({ ok: true });
  state.watch({ name: 'database/r', lastError: undefined, current: () => ({ expiresAtMs: nowMs - 1 }) });
  expect(await state.health()).toMatchObject({ ok: false, state: 'unhealthy', msLeft: 0 });
});

test('a missing Vault is unhealthy, and whether the process is worth keeping is for fail-open to say', async () => {
  const closed = new SecurityState({ failOpen: false, identities });
  const open = new SecurityState({ failOpen: true, identities });
  const reasons = ['vault: it cannot be used'];
  expect(await closed.health()).toMatchObject({ ok: false, state: 'unhealthy', reasons });
  expect(await open.health()).toMatchObject({ ok: true, failOpen: true, state: 'unhealthy', reasons });
  open.useVault(clientOf());
  expect(await open.health()).not.toHaveProperty('failOpen');
});
