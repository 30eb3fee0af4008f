import { createServer } from 'node:http';
import { messageOf } from '@neural-hive/security/common';
import type { Registry } from 'prom-client';
import { type ListeningServer, listenHttp, pathOf, sendError, sendJson } from './http-server.ts';

/** The answer of a check; everything beside `ok` is shown to whoever asks, so no secret may be in it. */
export interface CheckResult {
  readonly ok: boolean;
  readonly [detail: string]: unknown;
}

export type Check = () => CheckResult | Promise<CheckResult>;

export interface ObservabilityServerOptions {
  /** 0 lets the system choose. */
  readonly port: number;
  /** Default `127.0.0.1`; a pod listens on `0.0.0.0`. */
  readonly host?: string;
  /** Whether the process is worth keeping. */
  readonly health: Check;
  /** Whether the service can do its work now. */
  readonly ready: Check;
  readonly registry: Registry;
}

/** Plain HTTP for probes and scrapers: `GET /health`, `/ready` (200 or 503) and `/metrics`. */
export function observabilityServer(options: ObservabilityServerOptions): Promise<ListeningServer> {
  const checks: Readonly<Record<string, Check>> = { '/health': options.health, '/ready': options.ready };
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const path = pathOf(request);
      if (request.method !== 'GET') return sendError(response, 405, 'method_not_allowed', 'Only GET is answered here');
      if (path === '/metrics') {
        const text = await options.registry.metrics();
        response.writeHead(200, { 'content-type': options.registry.contentType }).end(text);
        return;
      }
      const check = Object.hasOwn(checks, path) ? checks[path] : undefined;
      if (check === undefined) return sendError(response, 404, 'not_found', 'There are /health, /ready and /metrics');
      const result = await check();
      sendJson(response, result.ok ? 200 : 503, result);
    };
    answer().catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 503, { ok: false, error: messageOf(error) });
    });
  });
  return listenHttp(server, { host: options.host ?? '127.0.0.1', port: options.port });
}
