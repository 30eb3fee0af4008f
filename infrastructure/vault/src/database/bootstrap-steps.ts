import { SCHEMAS } from '@neural-hive/contracts';
import { ANNOUNCE_ADMIN, ANNOUNCE_GROUP, GROUPS, VAULT_ADMIN } from '../setup/names.ts';

/** One fact about the database, and the statements that make it true. */
export interface BootstrapStep {
  readonly name: string;
  /** Answers one row with the flag `holds`. */
  readonly check: string;
  readonly statements: readonly string[];
}

const roleExists = (name: string): string => `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '${name}') AS holds`;

function membership(member: string, group: string, options: string): BootstrapStep {
  return {
    name: `${member} in ${group}`,
    check: `SELECT EXISTS (SELECT FROM pg_auth_members WHERE roleid = '${group}'::regrole AND member = '${member}'::regrole) AS holds`,
    statements: [`GRANT ${group} TO ${member} ${options}`.trim()],
  };
}

/**
 * From 16 on the one who makes members of a group needs the admin option on it, and can be kept from using the group
 * itself. Before, CREATEROLE may do that for every role, and membership would only give away the data.
 */
function administration(admin: string, groups: readonly string[], major: number): BootstrapStep[] {
  if (major < 16) return [];
  return groups.map((group) => membership(admin, group, 'WITH ADMIN TRUE, INHERIT FALSE, SET FALSE'));
}

const PUBLIC_IN_DATABASE = `EXISTS (SELECT FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
  WHERE d.datname = current_database() AND a.grantee = 0)`;

const PUBLIC_IN_SCHEMA_PUBLIC = `EXISTS (SELECT FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
  WHERE n.nspname = 'public' AND a.grantee = 0)`;

/** In the statement the database's name is quoted by the server. */
const onDatabase = (before: string, after: string): string =>
  `DO $$ BEGIN EXECUTE format('${before} %I ${after}', current_database()); END $$`;

const ownFunctions = (owner: string): string =>
  `EXISTS (SELECT FROM pg_default_acl WHERE defaclrole = '${owner}'::regrole AND defaclnamespace = 0 AND defaclobjtype = 'f')`;

const explicitConnect = (role: string): string =>
  `SELECT EXISTS (SELECT FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = current_database()
     AND a.grantee = '${role}'::regrole AND a.privilege_type = 'CONNECT') AS holds`;

/** In the order in which they build on one another. */
export function bootstrapSteps(major: number): readonly BootstrapStep[] {
  return [
    ...GROUPS.map((group) => ({
      name: `role ${group}`,
      check: roleExists(group),
      statements: [`CREATE ROLE ${group} NOLOGIN ${group === ANNOUNCE_ADMIN ? 'CREATEROLE' : ''}`.trim()],
    })),
    ...SCHEMAS.map((schema) => ({
      name: `schema ${schema}`,
      check: `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = '${schema}' AND nspowner = '${schema}_owner'::regrole) AS holds`,
      statements: [`CREATE SCHEMA IF NOT EXISTS ${schema}`, `ALTER SCHEMA ${schema} OWNER TO ${schema}_owner`],
    })),
    // A function that nobody granted is callable by nobody; tables and sequences are closed anyway.
    ...SCHEMAS.map((schema) => ({
      name: `default privileges of ${schema}_owner`,
      check: `SELECT ${ownFunctions(`${schema}_owner`)} AS holds`,
      statements: [`ALTER DEFAULT PRIVILEGES FOR ROLE ${schema}_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`],
    })),
    {
      name: 'database closed to PUBLIC',
      check: `SELECT NOT ${PUBLIC_IN_DATABASE} AS holds`,
      statements: [onDatabase('REVOKE ALL ON DATABASE', 'FROM PUBLIC')],
    },
    {
      name: 'schema public closed to PUBLIC',
      check: `SELECT NOT ${PUBLIC_IN_SCHEMA_PUBLIC} AS holds`,
      statements: ['REVOKE ALL ON SCHEMA public FROM PUBLIC'],
    },
    {
      name: `login ${VAULT_ADMIN}`,
      check: `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '${VAULT_ADMIN}' AND rolcanlogin AND rolcreaterole) AS holds`,
      statements: [
        `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${VAULT_ADMIN}') THEN CREATE ROLE ${VAULT_ADMIN}; END IF; END $$`,
        `ALTER ROLE ${VAULT_ADMIN} LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS`,
      ],
    },
    // Ending the sessions of a revoked login takes this; it does not reach superusers' sessions.
    membership(VAULT_ADMIN, 'pg_signal_backend', ''),
    membership(ANNOUNCE_ADMIN, 'pg_signal_backend', ''),
    ...administration(
      VAULT_ADMIN,
      GROUPS.filter((group) => group !== ANNOUNCE_GROUP),
      major,
    ),
    ...administration(ANNOUNCE_ADMIN, [ANNOUNCE_GROUP], major),
    ...[...GROUPS, VAULT_ADMIN].map((role) => ({
      name: `${role} may connect`,
      check: explicitConnect(role),
      statements: [onDatabase('GRANT CONNECT ON DATABASE', `TO ${role}`)],
    })),
  ];
}
