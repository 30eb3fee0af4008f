import { type IncomingMessage, request, type ServerResponse } from 'node:http';

import { SPIFFE_IDS } from '@neural-hive/contracts';
import { messageOf } from '@neural-hive/security/common';
import { httpsServer } from '@neural-hive/security/http';
import { matchOneOf } from '@neural-hive/security/spiffe';
import { connectTls, peerSpiffeId, type X509Identity } from '@neural-hive/security/tls';
import { z } from 'zod';
import type { OperationContext } from './board-entry.ts';
import type { CredentialBoard } from './credential-board.ts';
import { type ListeningServer, listenHttp, pathOf, readBody, sendError, sendJson } from './http-server.ts';
import type { Logger } from './logger.ts';
import type { Check } from './observability-server.ts';

export interface ManagementServerOptions {
  readonly identity: X509Identity;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly board: CredentialBoard;
  readonly health: Check;
  /** SPIFFE IDs that may manage the service. Default: the operator. */
  readonly authorize?: readonly string[];
  readonly logger?: Logger;
}

export interface ManagementServer extends ListeningServer {
  /**
   * A fresh mTLS handshake of this service with itself and one request over it: the `operate` of its own X509-SVID,
   * which is on both sides.
   */
  handshake(context?: OperationContext): Promise<void>;
}

const MAX_BODY_BYTES = 16_384;
const PING = '/v1/ping';

const loadRequest = z.strictObject({ action: z.enum(['start', 'stop']) });
const rotateRequest = z
  .strictObject({
    name: z.string().optional(),
    all: z.boolean().optional(),
    times: z.int().min(1).max(10).default(1),
  })
  .refine(({ name, all }) => (name === undefined) !== (all !== true), 'give either "name" or "all": true');
const expectRequest = z.strictObject({ name: z.string(), times: z.int().min(1).max(10).default(1) });

/**
 * HTTPS for whoever runs the service, authenticated by X509-SVID: what credentials it holds, a load that uses them,
 * their rotation and what that did to the load.
 *
 * `GET /v1/health`, `/v1/credentials`, `/v1/report`; `POST /v1/credentials/load` `{action}`,
 * `/v1/credentials/rotate` `{name}` or `{all: true}` with `times`, `/v1/credentials/expect` `{name, times}`.
 */
export async function managementServer(options: ManagementServerOptions): Promise<ManagementServer> {
  const { identity, logger, host = '127.0.0.1' } = options;
  const operators = options.authorize ?? [SPIFFE_IDS.operator];
  const ownId = identity.getX509Svid().id.toString();
  const routes = routesOf(options);

  const server = httpsServer(
    { identity, authorize: matchOneOf(...new Set([...operators, ownId])) },
    (incoming: IncomingMessage, response: ServerResponse) => {
      answer(incoming, response).catch((error: unknown) => {
        logger?.error({ error: messageOf(error), path: pathOf(incoming) }, 'a management request failed');
        if (response.headersSent) response.destroy();
        else sendError(response, 500, 'internal', 'The request failed; the log of the service says why');
      });
    },
  );

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(incoming);
    if (path === PING && incoming.method === 'GET') return void response.writeHead(204).end();
    const peer = peerSpiffeId(incoming.socket as Parameters<typeof peerSpiffeId>[0])?.toString();
    if (peer === undefined || !operators.includes(peer)) {
      logger?.warn({ peer, path }, 'a management request was refused');
      return sendError(response, 403, 'not_allowed', 'This identity may not manage the service');
    }
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (route === undefined) return sendError(response, 404, 'not_found', 'There is no such path');
    if (incoming.method !== route.method) {
      return sendError(response, 405, 'method_not_allowed', `Only ${route.method} is answered here`);
    }
    await route.handle(incoming, response);
  }

  const listening = await listenHttp(server, { host, port: options.port });
  return {
    ...listening,
    handshake: (context) => pingOnce({ identity, ownId, host, port: listening.port, signal: context?.signal }),
  };
}

interface Route {
  readonly method: 'GET' | 'POST';
  handle(incoming: IncomingMessage, response: ServerResponse): Promise<void>;
}

function routesOf({ board, health }: ManagementServerOptions): Readonly<Record<string, Route>> {
  const get = (produce: () => unknown): Route => ({
    method: 'GET',
    handle: async (_incoming, response) => sendJson(response, 200, await produce()),
  });
  const post = <T>(schema: z.ZodType<T>, act: (body: T) => Promise<unknown>): Route => ({
    method: 'POST',
    async handle(incoming, response) {
      const body = await parsedBody(incoming, schema);
      if ('problem' in body) return sendError(response, 400, 'invalid', body.problem);
      try {
        sendJson(response, 200, await act(body.value));
      } catch (error) {
        // The board's own checks of what it is asked for.
        if (!(error instanceof TypeError)) throw error;
        sendError(response, 409, 'not_possible', error.message);
      }
    },
  });
  return {
    '/v1/health': get(() => health()),
    '/v1/credentials': get(() => ({ credentials: board.list() })),
    '/v1/report': get(() => board.report()),
    '/v1/credentials/load': post(loadRequest, async ({ action }) => {
      if (action === 'stop') return board.stopLoad();
      board.startLoad();
      return board.loadStatistics();
    }),
    '/v1/credentials/rotate': post(rotateRequest, async ({ name, times }) => {
      const rotations = [];
      for (let round = 0; round < times; round += 1) {
        for (const each of name === undefined ? board.rotatable() : [name]) rotations.push(await board.rotate(each));
      }
      return { rotations };
    }),
    '/v1/credentials/expect': post(expectRequest, async ({ name, times }) => {
      board.expect(name, times);
      return { expecting: times };
    }),
  };
}

async function parsedBody<T>(
  incoming: IncomingMessage,
  schema: z.ZodType<T>,
): Promise<{ readonly value: T } | { readonly problem: string }> {
  const text = await readBody(incoming, MAX_BODY_BYTES);
  if (text === undefined) return { problem: `The body is larger than ${MAX_BODY_BYTES} bytes` };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { problem: 'The body is not JSON' };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { value: parsed.data };
  return {
    problem: parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; '),
  };
}

async function pingOnce(options: {
  identity: X509Identity;
  ownId: string;
  host: string;
  port: number;
  signal: AbortSignal | undefined;
}): Promise<void> {
  const { identity, ownId, host, port, signal } = options;
  const socket = await connectTls({
    identity,
    authorize: matchOneOf(ownId),
    host,
    port,
    ...(signal !== undefined && { signal }),
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const ping = request({ createConnection: () => socket, host, path: PING }, (response) => {
        response.resume();
        response.once('end', () =>
          response.statusCode === 204 ? resolve() : reject(new Error(`The ping was answered ${response.statusCode}`)),
        );
      });
      ping.once('error', reject);
      ping.end();
    });
  } finally {
    socket.destroy();
  }
}
