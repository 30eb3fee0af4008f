import type { Token } from '../auth/token/token-store.ts';
import type { LeaseEngine } from '../lease/lease-store.ts';
import type { Acl } from '../policy/acl.ts';
import type { Fields } from './fields.ts';

export type Operation = 'read' | 'create' | 'update' | 'delete' | 'list' | 'patch';

/** One request on its way to a handler. */
export interface Call {
  readonly id: string;
  readonly operation: Operation;
  /** Where the backend is mounted, with its trailing slash: `auth/jwt/`. */
  readonly mount: string;
  /** From the root, without `/v1/`. */
  readonly path: string;
  /** The named parts of the route. */
  readonly params: Readonly<Record<string, string>>;
  readonly fields: Fields;
  readonly query: URLSearchParams;
  /** Missing on open routes only. */
  readonly token: Token | undefined;
  readonly acl: Acl;
  readonly remoteAddress: string;
  /** The bearer of the Authorization header, for what is not Vault's API. */
  readonly bearer: string | undefined;
}

export interface AuthAnswer {
  readonly token: Token;
  /** Lifetime to report; it counts from now. */
  readonly leaseSeconds: number;
}

export interface Answer {
  /** Default 200, or 204 when there is nothing to say. */
  readonly status?: number;
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly auth?: AuthAnswer;
  readonly lease?: { readonly id: string; readonly ttlSeconds: number; readonly renewable: boolean };
  readonly warnings?: readonly string[];
  /** Some of Vault's oldest endpoints repeat `data` at the top level. */
  readonly flat?: boolean;
  /** Sent as it is, without an envelope. */
  readonly raw?: { readonly contentType: string; readonly body: string | Buffer };
  /** Whether the state must be made durable before the answer. Default: unless it was a read or a list. */
  readonly changed?: boolean;
}

export type Handler = (call: Call) => Answer | Promise<Answer>;

export interface Route {
  /** Segments; `:name` takes one, `*name` at the end takes the rest, which may be empty. */
  readonly path: string;
  /** Served without a token: logins, health. */
  readonly open?: boolean;
  /** Needs a token, and the handler itself decides what that token may see: no policy names the path. */
  readonly guarded?: 'by handler';
  /** Needs the `sudo` capability besides, for every operation or for these. */
  readonly sudo?: boolean | readonly Operation[];
  /** Tells `create` from `update`; without it every write is an update. */
  readonly exists?: (call: Call) => boolean;
  readonly read?: Handler;
  readonly write?: Handler;
  readonly patch?: Handler;
  readonly delete?: Handler;
  readonly list?: Handler;
}

/** An engine, auth method or part of the system, as it stands behind a mount point. */
export interface Backend extends Partial<LeaseEngine> {
  readonly routes: readonly Route[];
  /** Survives JSON; given back to the factory at the next start. */
  save(): unknown;
  close?(): Promise<void>;
}

interface CompiledRoute {
  readonly route: Route;
  readonly expression: RegExp;
}

const compiled = new WeakMap<readonly Route[], readonly CompiledRoute[]>();

/** The first route that fits the path below the mount, which has no trailing slash. */
export function findRoute(
  routes: readonly Route[],
  path: string,
): { route: Route; params: Readonly<Record<string, string>> } | undefined {
  let table = compiled.get(routes);
  if (table === undefined) {
    table = routes.map((route) => ({ route, expression: expressionOf(route.path) }));
    compiled.set(routes, table);
  }
  for (const { route, expression } of table) {
    const match = expression.exec(path);
    if (match !== null) return { route, params: { ...match.groups } };
  }
  return undefined;
}

function expressionOf(path: string): RegExp {
  const source = path
    .split('/')
    .map((segment, index) => {
      const slash = index === 0 ? '' : '/';
      if (segment.startsWith('*'))
        return index === 0 ? `(?<${segment.slice(1)}>.*)` : `(?:/(?<${segment.slice(1)}>.*))?`;
      if (segment.startsWith(':')) return `${slash}(?<${segment.slice(1)}>[^/]+)`;
      return slash + segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${source}$`, 's');
}
