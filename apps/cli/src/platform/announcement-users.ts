import { randomBytes } from 'node:crypto';
import { KV_PATHS } from '@neural-hive/contracts';
import type { EmbeddedPostgres } from '@neural-hive/embedded-postgres';
import type { VaultClient } from '@neural-hive/security/vault';
import {
  ANNOUNCE_GROUP,
  ANNOUNCE_ROTATOR_ROLE,
  createAnnouncementUser,
  dropAnnouncementUser,
} from '@neural-hive/vault-setup';
import type pg from 'pg';
import { withLogin } from './database.ts';

/** The services that listen for announcements, with the KV path that holds the login they do it with. */
const LISTENERS = { orchestrator: KV_PATHS.orchestratorKafka, worker: KV_PATHS.workerKafka } as const;
export type Listener = keyof typeof LISTENERS;
const LISTENER_NAMES = Object.keys(LISTENERS) as readonly Listener[];

/** Whose login a KV entry holds. */
export function listenerOf(path: string): Listener | undefined {
  return LISTENER_NAMES.find((name) => LISTENERS[name] === path);
}

/**
 * The logins that Vault's KV engine holds: PostgreSQL users that may listen for announcements and nothing else. They
 * are replaced with two users that overlap: make the new one, write it to KV, wait until its reader uses it, drop the old one.
 */
export class AnnouncementUsers {
  readonly #vault: VaultClient;
  readonly #postgres: EmbeddedPostgres;
  readonly #current = new Map<Listener, string>();

  constructor(options: { vault: VaultClient; postgres: EmbeddedPostgres }) {
    this.#vault = options.vault;
    this.#postgres = options.postgres;
  }

  /** Makes the first user of every listener, before the services start. */
  async create(): Promise<void> {
    await this.#asRotator(async (client) => {
      for (const listener of LISTENER_NAMES) await this.#replace(client, listener);
    });
  }

  /** `settle` resolves once the service uses the new login, with whether it does; only then is the old one dropped. */
  async rotate(listener: Listener, settle: () => Promise<boolean>): Promise<boolean> {
    const previous = this.#current.get(listener);
    await this.#asRotator((client) => this.#replace(client, listener));
    const settled = await settle();
    if (previous !== undefined) await this.#asRotator((client) => drop(client, previous));
    return settled;
  }

  /** Drops every such user, also those that an earlier platform left behind. */
  async dropAll(): Promise<void> {
    await this.#asRotator(async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT r.rolname AS name FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
         JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = $1 AND r.rolcanlogin`,
        [ANNOUNCE_GROUP],
      );
      for (const { name } of rows) await drop(client, name);
    });
    this.#current.clear();
  }

  async #replace(client: pg.Client, listener: Listener): Promise<void> {
    const username = `announce_${listener}_${randomBytes(6).toString('hex')}`;
    const password = randomBytes(24).toString('base64url');
    for (const statement of createAnnouncementUser(username, password)) await client.query(statement);
    await this.#vault.kv().write(LISTENERS[listener], { username, password });
    this.#current.set(listener, username);
  }

  /** Works with a login that is leased for this and given back at once. */
  async #asRotator(work: (client: pg.Client) => Promise<void>): Promise<void> {
    const lease = await this.#vault.database().credentials(ANNOUNCE_ROTATOR_ROLE);
    try {
      await withLogin(this.#postgres, lease.value, work);
    } finally {
      await lease.revoke();
    }
  }
}

async function drop(client: pg.Client, name: string): Promise<void> {
  for (const statement of dropAnnouncementUser(name)) await client.query(statement);
}
