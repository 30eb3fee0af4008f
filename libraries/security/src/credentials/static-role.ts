import { type Clock, type Random, Secret, systemClock } from '../common/index.ts';
import { type DatabaseCredential, type VaultClient, VaultError } from '../vault/index.ts';
import type { CredentialProvider, Issued } from './credential.ts';
import { pollUntilChanged } from './poll-watch.ts';

export interface StaticRoleOptions {
  /** Default `database`. */
  readonly mount?: string;
  /** How often it is looked for a rotation out of turn. In milliseconds, from 50; default 30 000. */
  readonly pollMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The server needs a moment after the end of the period to rotate. In milliseconds. */
const AFTER_ROTATION_MS = 250;
/** While a rotation is overdue the role is read this often. In milliseconds. */
const OVERDUE_MS = 1_000;

interface StaticCredential extends DatabaseCredential {
  readonly rotation: string;
  readonly rotatedAtMs: number;
  /** When the next one is due; `Infinity` when the server does not say. */
  readonly dueAtMs: number;
}

/**
 * A database user whose password Vault replaces in turn. The old password ends at that moment, without an overlap:
 * sessions that are open live on, and a login in the moment before the new password is here is refused and has to be
 * repeated. There is no lease; nothing is revoked.
 */
export function staticRole(
  client: VaultClient,
  role: string,
  options: StaticRoleOptions = {},
): CredentialProvider<DatabaseCredential> {
  const { mount = 'database', pollMs = 30_000, clock = systemClock, random = Math.random } = options;
  if (!Number.isFinite(pollMs) || pollMs < 50) throw new RangeError('pollMs: must be 50 or more');
  const path = `${mount}/static-creds/${role}`;
  const read = async (signal: AbortSignal): Promise<StaticCredential> => {
    const { data } = await client.request({ method: 'GET', path, operation: 'database.static-credentials', signal });
    return parseCredential(path, data, clock.now());
  };
  return {
    name: `${mount}/static/${role}`,
    async obtain({ signal }): Promise<Issued<DatabaseCredential>> {
      const held = await read(signal);
      const { username, password, rotatedAtMs } = held;
      let dueAtMs = held.dueAtMs;
      const watch = {
        clock,
        async changed(look: { signal: AbortSignal }) {
          const found = await read(look.signal);
          dueAtMs = found.dueAtMs;
          return found.rotation !== held.rotation || found.password.reveal() !== password.reveal();
        },
        delayMs() {
          const untilDueMs = dueAtMs - clock.now() + AFTER_ROTATION_MS;
          const turnMs = pollMs * (0.9 + 0.2 * random());
          return Math.min(turnMs, untilDueMs > 0 ? untilDueMs : OVERDUE_MS);
        },
      };
      return {
        value: { username, password },
        issuedAtMs: rotatedAtMs,
        expiresAtMs: Number.POSITIVE_INFINITY,
        revoke: () => Promise.resolve(),
        onSuperseded: (listener) => pollUntilChanged(watch, () => listener('changed')),
      };
    },
  };
}

function parseCredential(path: string, data: Readonly<Record<string, unknown>>, nowMs: number): StaticCredential {
  const { username, password, ttl, last_vault_rotation: rotation } = data;
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new VaultError('bad-response', `GET ${path}: the answer has no username and password`);
  }
  const rotatedAtMs = typeof rotation === 'string' ? Date.parse(rotation) : Number.NaN;
  return {
    username,
    password: new Secret(password),
    rotation: typeof rotation === 'string' ? rotation : '',
    rotatedAtMs: Number.isNaN(rotatedAtMs) ? nowMs : rotatedAtMs,
    dueAtMs: typeof ttl === 'number' ? nowMs + ttl * 1_000 : Number.POSITIVE_INFINITY,
  };
}
