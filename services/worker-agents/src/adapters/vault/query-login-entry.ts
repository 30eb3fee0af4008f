import type { BoardEntry } from '@neural-hive/service-runtime';
import type { QueryLogin } from '../../executors/query-postgres.ts';

type LeaseQueryLogin = (options: { signal: AbortSignal }) => Promise<QueryLogin & { readonly expiresAtMs: number }>;

/** Counts the logins that QUERY tickets lease. They live as long as a ticket: they are listed and never rotated. */
export function queryLoginEntry(lease: LeaseQueryLogin): { lease: LeaseQueryLogin; entry: BoardEntry } {
  let latest = { generation: 0, ttlSeconds: 0, expiresAtMs: 0 };
  return {
    lease: async (options) => {
      const leased = await lease(options);
      const ttlSeconds = Math.round((leased.expiresAtMs - Date.now()) / 1_000);
      latest = { generation: latest.generation + 1, ttlSeconds, expiresAtMs: leased.expiresAtMs };
      return leased;
    },
    entry: { name: 'database/worker-query', kind: 'listed', describe: () => latest },
  };
}
