import { type ExecutionTicket, isSensitive, securityLevel } from '@neural-hive/contracts';

/**
 * Whether the ticket's output goes to Vault and only its reference travels. The plan's level counts, and a task may
 * ask for more by `parameters.sensitive` or a higher `metadata.security_level`; it can never ask for less. A level
 * that is none counts as sensitive.
 */
export function hasSensitiveResult({ security_level, parameters, metadata }: ExecutionTicket): boolean {
  if (isSensitive(security_level) || parameters.sensitive === 'true') return true;
  if (metadata.security_level === undefined) return false;
  const own = securityLevel.safeParse(metadata.security_level);
  return !own.success || isSensitive(own.data);
}
