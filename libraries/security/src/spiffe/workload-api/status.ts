import { status } from '@grpc/grpc-js';
import { messageOf } from '../../common/index.ts';
import { SpiffeError, type SpiffeErrorCode } from '../spiffe-error.ts';

const FINAL: Readonly<Record<number, SpiffeErrorCode>> = {
  // SPIFFE_Workload_Endpoint §6 and appendix A: both are reported and not tried again.
  [status.INVALID_ARGUMENT]: 'WORKLOAD_API_INVALID_ARGUMENT',
  [status.UNIMPLEMENTED]: 'WORKLOAD_API_UNIMPLEMENTED',
};

/** The gRPC error of a call as ours. */
export function workloadApiError(call: string, error: unknown): SpiffeError {
  if (error instanceof SpiffeError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
  const details = error instanceof Error && 'details' in error ? String(error.details) : messageOf(error);
  const options = { cause: error };
  const final = code === undefined ? undefined : FINAL[code];
  if (final !== undefined)
    return new SpiffeError(final, `${call}: the agent refuses the call for good: ${details}`, options);
  if (code === status.PERMISSION_DENIED) {
    const message = `${call}: the agent has no identity for this process (PermissionDenied: ${details}): check its registration`;
    return new SpiffeError('WORKLOAD_API_PERMISSION_DENIED', message, { ...options, retryable: true });
  }
  const name = code === undefined ? '' : ` (${status[code]})`;
  const message = `${call}: the Workload API cannot be reached or failed${name}: ${details}`;
  return new SpiffeError('WORKLOAD_API_UNAVAILABLE', message, { ...options, retryable: true });
}

/** Errors after which the same watch can never succeed. */
export function isFinal(error: SpiffeError): boolean {
  return error.code === 'WORKLOAD_API_INVALID_ARGUMENT' || error.code === 'WORKLOAD_API_UNIMPLEMENTED';
}
