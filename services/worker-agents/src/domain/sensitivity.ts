import { type ExecutionTicket, isSensitive, securityLevel } from '@neural-hive/contracts';

/** Which outputs of a ticket go to Vault; of them only a reference travels. */
export type KeptBack = 'nothing' | 'everything' | ReadonlySet<string>;

/**
 * The plan's level counts, and a task may ask for more: by a higher `metadata.security_level`, or by `parameters.sensitive`,
 * which is `true` or the names of outputs, separated by commas. It can never ask for less. A level that is none counts as
 * sensitive.
 */
export function keptBack({ security_level, parameters, metadata }: ExecutionTicket): KeptBack {
  const own = metadata.security_level === undefined ? undefined : securityLevel.safeParse(metadata.security_level);
  if (isSensitive(security_level) || (own !== undefined && (!own.success || isSensitive(own.data))))
    return 'everything';
  const { sensitive = 'false' } = parameters;
  if (sensitive === 'true') return 'everything';
  const names = sensitive === 'false' ? [] : sensitive.split(',').map((name) => name.trim());
  return names.every((name) => name === '') ? 'nothing' : new Set(names);
}
