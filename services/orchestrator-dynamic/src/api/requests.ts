import { EncodingError, parseStrictJson } from '@neural-hive/security/encoding';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { jsonPath } from '../domain/index.ts';
import { ApiError } from './api-error.ts';

export function isEmpty(body: unknown): boolean {
  return body === undefined || body === null || (Buffer.isBuffer(body) && body.length === 0);
}

/** The body of a request. Throws `ApiError` `invalid_json`. */
export function readJson(body: unknown): unknown {
  if (!Buffer.isBuffer(body)) throw new ApiError('invalid_json', 'send a JSON body (content-type: application/json)');
  try {
    return parseStrictJson(body);
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    const problems = [{ path: '$', message: error.message }];
    throw new ApiError('invalid_json', `the body is no JSON that is taken here: ${error.message}`, { problems });
  }
}

/** Throws `ApiError` `invalid_request` with every problem. */
export function readQuery<Schema extends z.ZodType>(schema: Schema, request: FastifyRequest): z.output<Schema> {
  const parsed = schema.safeParse(request.query);
  if (!parsed.success) throw invalidRequest(parsed.error);
  return parsed.data;
}

/** A body that may be left out. Throws `ApiError` `invalid_json` and `invalid_request`. */
export function readWish<Schema extends z.ZodType>(schema: Schema, request: FastifyRequest): z.output<Schema> {
  const parsed = schema.safeParse(isEmpty(request.body) ? {} : readJson(request.body));
  if (!parsed.success) throw invalidRequest(parsed.error);
  return parsed.data;
}

export function invalidRequest(error: z.ZodError): ApiError {
  const problems = error.issues.map(({ path, message }) => ({ path: jsonPath(path), message }));
  return new ApiError('invalid_request', 'the request is not as it should be', { problems });
}
