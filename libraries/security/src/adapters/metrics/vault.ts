import type { BreakerState, LeaseEvent, LeaseState, VaultMetrics, VaultObservation } from '../../vault/index.ts';
import { ANSWER_SECONDS, type Instruments } from './instruments.ts';
import { soonest, Watched } from './watched.ts';

const BREAKER_STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];
const LEASE_STATES: readonly LeaseState[] = ['active', 'failing', 'ending'];

const RENEWALS: Partial<Record<LeaseEvent['type'], string>> = { renewed: 'success', 'renewal-failed': 'failure' };

/** What the Vault clients do, and how those that are open stand when they are looked at. */
export function vaultMetrics(instruments: Instruments): VaultMetrics {
  const clients = new Watched<{ readonly observe: () => VaultObservation }>();
  const observe = (): VaultObservation[] => [...clients].map((client) => client.observe());
  const requests = instruments.counter(
    'vault_requests_total',
    'Requests to Vault, repetitions of one call not counted apart',
    ['operation', 'status'],
  );
  const durations = instruments.histogram(
    'vault_request_duration_seconds',
    'Time from a request to Vault to its answer, repetitions included',
    ['operation'],
    ANSWER_SECONDS,
  );
  const renewals = instruments.counter('vault_token_renewals_total', "Renewals of the client's own token", ['status']);
  const replacements = instruments.counter('vault_token_replacements_total', 'Tokens replaced by a new login', [
    'reason',
  ]);
  const leaseRenewals = instruments.counter('vault_credential_renewals_total', 'Renewals of leases', [
    'credential_type',
    'status',
  ]);
  const leaseEvents = instruments.counter('vault_lease_events_total', 'What happened to leases', ['event']);
  instruments.gauge('vault_token_ttl_seconds', "Until the client's own token ends", [], () => {
    const lives = observe().flatMap(({ tokenTtlSeconds }) => tokenTtlSeconds ?? []);
    return lives.length === 0 ? [] : [{ labels: {}, value: Math.min(...lives) }];
  });
  instruments.gauge('vault_leases', 'Leases that are held, by state', ['state'], () => {
    const states = observe().flatMap(({ leases }) => leases.map(({ state }) => state));
    return LEASE_STATES.map((state) => ({ labels: { state }, value: states.filter((one) => one === state).length }));
  });
  instruments.gauge('vault_lease_ttl_seconds', 'Until the lease that ends first ends, by state', ['state'], () => {
    const lives = observe().flatMap(({ leases }) =>
      leases.map(({ state, ttlSeconds }) => [state, ttlSeconds] as const),
    );
    return [...soonest(lives)].map(([state, value]) => ({ labels: { state }, value }));
  });
  instruments.gauge('vault_breaker_state', 'Open clients whose circuit breaker is in this state', ['state'], () => {
    const states = observe().map(({ breaker }) => breaker);
    return BREAKER_STATES.map((state) => ({ labels: { state }, value: states.filter((one) => one === state).length }));
  });
  return {
    request(operation, status, durationMs) {
      requests({ operation, status });
      durations({ operation }, durationMs / 1_000);
    },
    tokenRenewal: (status) => renewals({ status }),
    tokenReplaced: (reason) => replacements({ reason }),
    leaseChanged({ type, lease }) {
      const status = RENEWALS[type];
      if (status === undefined) leaseEvents({ event: type });
      else leaseRenewals({ credential_type: engineOf(lease.leaseId), status });
    },
    watchClient: (read) => clients.add({ observe: read }),
  };
}

/** The first part of where the lease was made: `database` for `database/creds/role/id`. */
function engineOf(leaseId: string): string {
  return leaseId.split('/', 1)[0] ?? '';
}
