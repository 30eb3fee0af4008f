import { status } from '@grpc/grpc-js';
import { RegistryError, type RegistryErrorCode } from '../domain/registry-error.ts';

const STATUS_OF: Readonly<Record<RegistryErrorCode, status>> = {
  invalid: status.INVALID_ARGUMENT,
  unknown_agent: status.NOT_FOUND,
  not_yours: status.PERMISSION_DENIED,
  too_many: status.RESOURCE_EXHAUSTED,
  revision_lost: status.OUT_OF_RANGE,
  store_failed: status.UNAVAILABLE,
};

export interface StatusAnswer {
  readonly code: status;
  readonly details: string;
}

/** What a caller is told. The text of an error that we did not foresee stays here: it may name what is none of theirs. */
export function statusOf(error: unknown): StatusAnswer {
  if (error instanceof RegistryError) return { code: STATUS_OF[error.code], details: error.message };
  return { code: status.INTERNAL, details: 'The registry failed; its log says why' };
}
