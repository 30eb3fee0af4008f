import { NeuralHiveError } from '@neural-hive/security/common';
import type { PlanProblem } from '../domain/index.ts';

export type ApiErrorCode =
  | 'unauthenticated'
  | 'permission_denied'
  | 'invalid_json'
  | 'invalid_plan'
  | 'invalid_request'
  | 'not_found'
  | 'conflict'
  | 'too_large'
  | 'unsupported_media_type'
  | 'internal';

const STATUS: Readonly<Record<ApiErrorCode, number>> = {
  unauthenticated: 401,
  permission_denied: 403,
  invalid_json: 400,
  invalid_plan: 400,
  invalid_request: 400,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
};

/** What a caller is told when a request is not carried out. */
export class ApiError extends NeuralHiveError<ApiErrorCode> {
  readonly problems: readonly PlanProblem[];

  constructor(
    code: ApiErrorCode,
    message: string,
    options: { problems?: readonly PlanProblem[]; cause?: unknown } = {},
  ) {
    super(code, message, {
      retryable: code === 'internal',
      ...(options.cause !== undefined && { cause: options.cause }),
    });
    this.problems = options.problems ?? [];
  }

  get status(): number {
    return STATUS[this.code];
  }

  toJSON(): { error: { code: ApiErrorCode; message: string; problems?: readonly PlanProblem[] } } {
    const { code, message, problems } = this;
    return { error: { code, message, ...(problems.length > 0 && { problems }) } };
  }
}
