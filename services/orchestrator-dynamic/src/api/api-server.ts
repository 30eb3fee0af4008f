import type { RequestListener } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { MAX_PLAN_BYTES } from '@neural-hive/contracts';
import { type Clock, messageOf, systemClock } from '@neural-hive/security/common';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type RawServerDefault } from 'fastify';
import type { PlanEngine } from '../ports/plan-engine.ts';
import type { TicketClaims } from '../ports/ticket-desk.ts';
import { ApiError } from './api-error.ts';
import { Authenticator, type AuthenticatorOptions } from './authenticator.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { OPENAPI_PATH, openApiDocument } from './openapi.ts';
import { permission } from './permission.ts';
import { planRoutes } from './plan-routes.ts';
import { ticketRoutes } from './ticket-routes.ts';

export interface ApiServerOptions {
  readonly engine: PlanEngine;
  /** Where workers claim tickets; undefined where these travel otherwise than over a bus. */
  readonly claims?: TicketClaims | undefined;
  readonly authentication: AuthenticatorOptions;
  /** Makes the TLS server that proves identities. */
  readonly createServer: (listener: RequestListener) => HttpsServer;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly clock?: Clock;
  readonly log?: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

export interface ApiServer {
  readonly port: number;
  /** Ends the streams and lets the other requests finish. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens the API of plans; resolves once it listens. */
export async function openApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { engine, claims, authentication, createServer, host, port, clock = systemClock, log } = options;
  const stopping = new AbortController();
  const app: FastifyInstance = Fastify<RawServerDefault, never, never, FastifyBaseLogger>({
    serverFactory: (handler) => createServer(handler) as unknown as RawServerDefault,
    bodyLimit: MAX_PLAN_BYTES,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 512 },
  }) as unknown as FastifyInstance;
  app.removeAllContentTypeParsers();
  // The bytes as they came: the strict reader of this project reads them, once the caller is known.
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setNotFoundHandler(() => {
    throw new ApiError('not_found', 'there is nothing here: the API is below /api/v1');
  });
  app.setErrorHandler((error, _request, reply) => {
    const known = asApiError(error);
    if (known.code === 'internal') log?.error({ error: messageOf(error) }, 'a request failed');
    if (known.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
    return reply.code(known.status).send(known.toJSON());
  });
  const may = permission(new Authenticator(authentication));
  planRoutes(app, { engine, may, now: () => clock.now(), signal: stopping.signal });
  deadLetterRoutes(app, { engine, may });
  const description = openApiDocument();
  app.get(OPENAPI_PATH, may('DescribeApi'), async () => description);
  if (claims !== undefined) ticketRoutes(app, { claims, may });
  await app.listen({ host, port });
  const address = app.server.address();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    stopping.abort();
    closed ??= app.close();
    return closed;
  };
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiError('too_large', `a body may have at most ${MAX_PLAN_BYTES} bytes`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ApiError('unsupported_media_type', 'send JSON (content-type: application/json)');
  }
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new ApiError('invalid_request', messageOf(error), { cause: error });
  }
  return new ApiError('internal', 'the orchestrator could not do it; its log says why', { cause: error });
}
