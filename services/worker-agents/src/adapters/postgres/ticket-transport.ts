import { createHash, randomUUID } from 'node:crypto';
import { DATABASE_ROLES, KV_PATHS } from '@neural-hive/contracts';
import { sleep } from '@neural-hive/security/common';
import {
  type CredentialMetrics,
  databaseCredentials,
  kvSecret,
  parseLogin,
  RotatingCredential,
  type StoredLogin,
} from '@neural-hive/security/credentials';
import { rotatingListener, rotatingPool } from '@neural-hive/security/pg';
import type { Logger, VaultClient } from '@neural-hive/security/vault';
import { type BoardEntry, injectedSecret, type ResourceStack, rotatingEntry } from '@neural-hive/service-runtime';
import { PostgresTicketSource, TICKET_CHANNELS } from './ticket-source.ts';

export interface TicketTransportOptions {
  readonly vault: VaultClient;
  readonly database: { readonly host: string; readonly port: number; readonly database: string };
  readonly kvMount: string;
  readonly databaseMount: string;
  /** How often the stored login of the announcements is looked at. */
  readonly kvPollMs: number;
  /** The folder of the injector's agent, if there is one. */
  readonly injectedSecrets?: string | undefined;
  readonly agentId: string;
  readonly logger: Logger;
  readonly metrics?: CredentialMetrics;
  readonly resources: ResourceStack;
  readonly signal: AbortSignal;
}

export interface TicketTransport {
  readonly source: PostgresTicketSource;
  /** The logins, for the board of credentials. */
  readonly entries: readonly BoardEntry[];
  /** Both logins are replaced now. */
  readonly credentials: readonly RotatingCredential<StoredLogin>[];
}

/** Also shows that the login may call the functions of the transport. */
const PROBE = "SELECT tickets.heartbeat('probe', 0)";
const ANNOUNCEMENT_LIMIT_MS = 5_000;

/**
 * The worker's end of the ticket transport: a pool under a leased login for the functions, and a LISTEN session under
 * the login that is kept in KV. Both follow their credentials.
 */
export async function openTicketTransport(options: TicketTransportOptions): Promise<TicketTransport> {
  const { vault, database, logger, metrics, resources, signal } = options;
  const reporting = { logger, signal, ...(metrics !== undefined && { metrics }) };
  const logins = resources.use(
    await RotatingCredential.open({
      provider: databaseCredentials(vault, DATABASE_ROLES.workerTickets, { mount: options.databaseMount }),
      ...reporting,
    }),
  );
  const pool = rotatingPool(
    logins,
    { ...database, max: 6, application_name: 'worker-tickets', connectionTimeoutMillis: 5_000, query_timeout: 10_000 },
    { probeQuery: PROBE },
  );
  resources.defer(() => pool.end());
  await pool.query(PROBE);
  const source = new PostgresTicketSource(pool);

  const announcements = resources.use(
    await RotatingCredential.open({
      provider:
        injectedSecret({ folder: options.injectedSecrets, file: 'kafka', parse: parseLogin, logger }) ??
        kvSecret(vault, KV_PATHS.workerKafka, {
          mount: options.kvMount,
          pollMs: options.kvPollMs,
          parse: parseLogin,
        }),
      ...reporting,
    }),
  );
  const ownChannel = `worker_probe_${createHash('sha256').update(options.agentId).digest('hex').slice(0, 16)}`;
  const awaited = new Map<string, () => void>();
  resources.use(
    await rotatingListener(
      announcements,
      { ...database, application_name: 'worker-announcements' },
      [...TICKET_CHANNELS, ownChannel],
      ({ channel, payload }) => {
        if (channel === ownChannel) awaited.get(payload)?.();
        else source.notify(channel, payload);
      },
      { logger, onReconnect: () => source.lookAgain() },
    ),
  );
  const announcers = rotatingPool(announcements, {
    ...database,
    max: 2,
    application_name: 'worker-announcement-probe',
  });
  resources.defer(() => announcers.end());

  /** Sends itself an announcement and waits for it: a lost one is what a bad rotation of this login would cause. */
  const announce = async (stop: AbortSignal): Promise<void> => {
    const id = randomUUID();
    const heard = new Promise<void>((resolve) => awaited.set(id, resolve));
    const limit = new AbortController();
    const onStop = (): void => limit.abort(stop.reason);
    stop.addEventListener('abort', onStop, { once: true });
    const late = sleep(ANNOUNCEMENT_LIMIT_MS, { signal: limit.signal }).then(() => {
      throw new Error('an announcement did not arrive');
    });
    late.catch(() => undefined);
    try {
      await announcers.query('SELECT pg_notify($1, $2)', [ownChannel, id]);
      await Promise.race([heard, late]);
    } finally {
      limit.abort();
      stop.removeEventListener('abort', onStop);
      awaited.delete(id);
    }
  };

  return {
    source,
    credentials: [logins, announcements],
    entries: [
      rotatingEntry(logins, {
        kind: 'database',
        operate: async () => {
          await pool.query(PROBE);
        },
      }),
      rotatingEntry(announcements, { kind: 'kv', operate: ({ signal: stop }) => announce(stop) }),
    ],
  };
}
