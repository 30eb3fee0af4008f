import { ANNOUNCE_GROUP } from '../setup/names.ts';

const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
/** A SCRAM verifier or a password of base64url characters: nothing that could end a quoted text. */
const PASSWORD = /^[\w$:+/=.-]+$/;
const TERMINATION_LIMIT_MS = 5_000;

function checkedName(name: string): string {
  if (!NAME.test(name)) throw new RangeError('name must be a lower-case PostgreSQL name of at most 63 characters');
  return name;
}

/** Makes a login that can listen and notify and read nothing. Run as a leased `announce-rotator`. */
export function createAnnouncementUser(name: string, password: string): readonly string[] {
  if (!PASSWORD.test(password)) throw new RangeError('password may hold letters, digits and -_.$:+/= only');
  return [`CREATE ROLE ${checkedName(name)} LOGIN PASSWORD '${password}' IN ROLE ${ANNOUNCE_GROUP}`];
}

/** Ends its sessions and drops it. Run the statements one by one, outside a transaction. */
export function dropAnnouncementUser(name: string): readonly string[] {
  checkedName(name);
  return [
    `ALTER ROLE ${name} NOLOGIN`,
    `SELECT pg_terminate_backend(pid, ${TERMINATION_LIMIT_MS}) FROM pg_stat_activity WHERE usesysid = '${name}'::regrole`,
    `DROP ROLE ${name}`,
  ];
}
