import { Counter, Gauge, Registry } from 'prom-client';
import type { TokenStore } from './auth/token/token-store.ts';
import type { LeaseStore } from './lease/lease-store.ts';

export interface AuthorityMetrics {
  readonly registry: Registry;
  observe(operation: string, mount: string, status: number): void;
  /** Gauges read their stores when they are scraped. */
  watch(leases: LeaseStore, tokens: TokenStore): void;
}

export function authorityMetrics(): AuthorityMetrics {
  const registry = new Registry();
  const requests = new Counter({
    name: 'dev_authority_requests_total',
    help: 'Requests by operation, mount and status',
    labelNames: ['operation', 'mount', 'status'],
    registers: [registry],
  });
  new Gauge({ name: 'vault_core_unsealed', help: 'Always 1', registers: [registry] }).set(1);
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  return {
    registry,
    observe: (operation, mount, status) => requests.inc({ operation, mount, status: String(status) }),
    watch(leases, tokens) {
      gauge(
        'vault_expire_num_leases',
        'Leases that are not undone yet',
        () => leases.counts().active + leases.counts().revoking,
      );
      gauge(
        'vault_expire_num_irrevocable_leases',
        'Leases that are over and not undone yet',
        () => leases.counts().revoking,
      );
      gauge('vault_token_count', 'Living tokens', () => tokens.size);
      gauge('dev_authority_leases_created', 'Leases made since the start', () => leases.counts().created);
      gauge('dev_authority_leases_revoked', 'Leases undone since the start', () => leases.counts().revoked);
    },
  };
}
