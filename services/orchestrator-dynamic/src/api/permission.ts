import type { FastifyRequest, RouteShorthandOptions } from 'fastify';
import type { Authenticator } from './authenticator.ts';
import type { Operation } from './operations.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** SPIFFE ID of the caller, proved and allowed. */
    callerId: string;
  }
}

/** Lets only those through who may have `operation` done; checked before the body is read. */
export function permission(authenticator: Authenticator): (operation: Operation) => RouteShorthandOptions {
  return (operation) => ({
    onRequest: async (request: FastifyRequest): Promise<void> => {
      const id = authenticator.authorize(operation, {
        socket: request.raw.socket,
        authorization: request.raw.headersDistinct.authorization ?? [],
      });
      request.callerId = id.toString();
    },
  });
}
