import type { Answer, AuthAnswer } from './route.ts';

/** Vault's answer around what a handler says. */
export function envelope(requestId: string, answer: Answer): Record<string, unknown> {
  return {
    ...(answer.flat === true ? answer.data : {}),
    request_id: requestId,
    lease_id: answer.lease?.id ?? '',
    renewable: answer.lease?.renewable ?? false,
    lease_duration: answer.lease?.ttlSeconds ?? 0,
    data: answer.data ?? null,
    wrap_info: null,
    warnings: answer.warnings === undefined || answer.warnings.length === 0 ? null : answer.warnings,
    auth: answer.auth === undefined ? null : authOf(answer.auth),
  };
}

/** Nothing to say means 204 and no body. */
export function isEmpty(answer: Answer): boolean {
  return (
    answer.data === undefined &&
    answer.auth === undefined &&
    answer.lease === undefined &&
    answer.raw === undefined &&
    (answer.warnings === undefined || answer.warnings.length === 0)
  );
}

function authOf({ token, leaseSeconds }: AuthAnswer): Record<string, unknown> {
  return {
    client_token: token.id,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: token.meta,
    lease_duration: leaseSeconds,
    renewable: token.renewable,
    entity_id: token.entityId,
    token_type: 'service',
    orphan: token.parent === null,
    mfa_requirement: null,
    num_uses: token.usesLeft,
  };
}
