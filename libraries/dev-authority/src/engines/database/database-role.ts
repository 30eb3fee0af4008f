import type { Fields } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';

export interface DatabaseRole {
  readonly database: string;
  readonly creation: readonly string[];
  readonly revocation: readonly string[];
  readonly renewal: readonly string[];
  readonly rollback: readonly string[];
  readonly defaultTtlSeconds: number;
  readonly maxTtlSeconds: number;
}

export function readDatabaseRole(fields: Fields, present: DatabaseRole | undefined): DatabaseRole {
  const credentialType = fields.text('credential_type') ?? 'password';
  if (credentialType !== 'password') throw invalid(`credential_type "${credentialType}" is not supported`);
  const role: DatabaseRole = {
    database: fields.text('db_name') ?? present?.database ?? '',
    creation: fields.texts('creation_statements') ?? present?.creation ?? [],
    revocation: fields.texts('revocation_statements') ?? present?.revocation ?? [],
    renewal: fields.texts('renew_statements') ?? present?.renewal ?? [],
    rollback: fields.texts('rollback_statements') ?? present?.rollback ?? [],
    defaultTtlSeconds: fields.seconds('default_ttl') ?? present?.defaultTtlSeconds ?? 0,
    maxTtlSeconds: fields.seconds('max_ttl') ?? present?.maxTtlSeconds ?? 0,
  };
  if (role.database === '') throw invalid('database name is required');
  if (role.maxTtlSeconds > 0 && role.defaultTtlSeconds > role.maxTtlSeconds) {
    throw invalid('"default_ttl" value must be less than "max_ttl"');
  }
  return role;
}

export function describeDatabaseRole(role: DatabaseRole): Record<string, unknown> {
  return {
    creation_statements: role.creation,
    credential_type: 'password',
    db_name: role.database,
    default_ttl: role.defaultTtlSeconds,
    max_ttl: role.maxTtlSeconds,
    renew_statements: role.renewal,
    revocation_statements: role.revocation,
    rollback_statements: role.rollback,
  };
}
