import type { Clock, Random } from '@neural-hive/security/common';
import type { Registry } from 'prom-client';
import type { AuditLog } from './audit/audit-log.ts';
import type { TokenStore } from './auth/token/token-store.ts';
import type { LeaseStore } from './lease/lease-store.ts';
import type { MountTable } from './mount-table.ts';
import type { PolicyStore } from './policy/policy-store.ts';
import type { ServiceAccountIssuer } from './service-accounts/service-account-issuer.ts';
import type { Journal } from './state/journal.ts';

/** What backends share. */
export interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly clusterId: string;
  readonly trustDomain: string;
  readonly journal: Journal;
  readonly audit: AuditLog;
  readonly policies: PolicyStore;
  readonly tokens: TokenStore;
  readonly leases: LeaseStore;
  readonly mounts: MountTable;
  readonly metrics: Registry;
  readonly serviceAccounts: ServiceAccountIssuer;
  /** Public keys of the authority's own SPIFFE issuer, as a JWK set. */
  readonly spiffeKeys: () => Uint8Array;
}
