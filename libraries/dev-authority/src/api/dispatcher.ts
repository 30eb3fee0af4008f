import type { AuditedAuth, AuditedRequest, AuditLog } from '../audit/audit-log.ts';
import type { Token, TokenStore } from '../auth/token/token-store.ts';
import { denied, Fault } from '../fault.ts';
import type { MountTable } from '../mount-table.ts';
import { Acl } from '../policy/acl.ts';
import type { PolicyStore } from '../policy/policy-store.ts';
import { newUuid } from '../random-text.ts';
import type { Journal } from '../state/journal.ts';
import { envelope, isEmpty } from './envelope.ts';
import { Fields } from './fields.ts';
import { type Answer, type Backend, type Call, findRoute, type Operation, type Route } from './route.ts';

export interface Incoming {
  readonly method: string;
  /** Decoded, without `/v1/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
  readonly token: string | undefined;
  readonly bearer: string | undefined;
  readonly remoteAddress: string;
}

export interface Outgoing {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
}

export interface DispatcherOptions {
  readonly mounts: MountTable;
  readonly tokens: TokenStore;
  readonly policies: PolicyStore;
  readonly audit: AuditLog;
  readonly journal: Journal;
  readonly observe: (operation: string, mount: string, status: number) => void;
}

interface Target {
  readonly mount: string;
  readonly backend: Backend | undefined;
  readonly found: ReturnType<typeof findRoute>;
}

const JSON_TYPE = 'application/json';

/** From a request to its answer: route, token, policy, handler, durability, audit. */
export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  async serve(incoming: Incoming): Promise<Outgoing> {
    const operation = operationOf(incoming);
    const path = operation === 'list' && !incoming.path.endsWith('/') ? `${incoming.path}/` : incoming.path;
    const target = this.#resolve(path);
    const open = target.found?.route.open === true;
    const token = open || incoming.token === undefined ? undefined : this.#options.tokens.find(incoming.token);
    const acl = token === undefined ? Acl.of([]) : this.#options.policies.aclFor(token.policies);
    const asked: Call = {
      id: newUuid(),
      operation,
      mount: target.mount,
      path,
      params: target.found?.params ?? {},
      fields: new Fields(incoming.body),
      query: incoming.query,
      token,
      acl,
      remoteAddress: incoming.remoteAddress,
      bearer: incoming.bearer,
    };
    const creates = operation === 'update' && target.found?.route.exists?.(asked) === false;
    const call: Call = creates ? { ...asked, operation: 'create' } : asked;
    const audited: AuditedRequest = {
      id: call.id,
      operation: call.operation,
      mountPoint: target.mount,
      path,
      remoteAddress: incoming.remoteAddress,
      body: incoming.body,
    };
    const auth = token === undefined ? undefined : auditedAuth(token);
    this.#options.audit.request(audited, auth);

    let outgoing: Outgoing;
    try {
      if (!open && token === undefined) throw new Fault('permission_denied', 'permission denied');
      const answer = await this.#answer(call, target);
      outgoing = this.#succeed(audited, auth, answer);
    } catch (error) {
      outgoing = this.#fail(audited, auth, error);
    }
    this.#options.observe(call.operation, target.mount, outgoing.status);
    return outgoing;
  }

  #resolve(path: string): Target {
    const mount = this.#options.mounts.find(path);
    if (mount === undefined) return { mount: '', backend: undefined, found: undefined };
    const below = path.slice(mount.path.length);
    const found = findRoute(mount.backend.routes, below.endsWith('/') ? below.slice(0, -1) : below);
    return { mount: mount.path, backend: mount.backend, found };
  }

  async #answer(call: Call, { backend, found }: Target): Promise<Answer> {
    const route = found?.route;
    if (route?.open !== true && route?.guarded === undefined) authorize(call, route);
    if (backend === undefined) {
      throw new Fault('not_found', `no handler for route "${call.path}". route entry not found.`);
    }
    if (route === undefined)
      throw new Fault('not_found', 'unsupported path', { errors: ['1 error occurred:\n\t* unsupported path\n\n'] });
    const handler = handlerOf(route, call.operation);
    if (handler === undefined) {
      const text = 'unsupported operation';
      throw new Fault('unsupported_operation', text, { errors: [`1 error occurred:\n\t* ${text}\n\n`] });
    }
    let lastUse = false;
    if (call.token !== undefined) lastUse = call.token.usesLeft > 0 && !this.#options.tokens.use(call.token);
    try {
      const answer = await handler(call);
      const changed = answer.changed ?? (call.operation !== 'read' && call.operation !== 'list');
      if (changed || (call.token?.usesLeft ?? 0) > 0) await this.#options.journal.commit();
      return answer;
    } finally {
      if (lastUse && call.token !== undefined) {
        await this.#options.tokens.revoke(call.token);
        await this.#options.journal.commit();
      }
    }
  }

  #succeed(audited: AuditedRequest, auth: AuditedAuth | undefined, answer: Answer): Outgoing {
    const status = answer.status ?? (isEmpty(answer) ? 204 : 200);
    if (answer.raw !== undefined) {
      this.#options.audit.response(audited, auth, { status, body: {} });
      return { status, contentType: answer.raw.contentType, body: answer.raw.body };
    }
    if (status === 204) {
      this.#options.audit.response(audited, auth, { status, body: {} });
      return { status, contentType: JSON_TYPE, body: '' };
    }
    const body = envelope(audited.id, answer);
    this.#options.audit.response(audited, auth, { status, body });
    return { status, contentType: JSON_TYPE, body: `${JSON.stringify(body)}\n` };
  }

  #fail(audited: AuditedRequest, auth: AuditedAuth | undefined, error: unknown): Outgoing {
    const fault = error instanceof Fault ? error : new Fault('internal', 'internal error', { cause: error });
    if (fault !== error)
      process.stderr.write(`dev-authority: ${error instanceof Error ? error.stack : 'unknown error'}\n`);
    const body = fault.data === undefined ? { errors: fault.errors } : envelope(audited.id, { data: fault.data });
    this.#options.audit.response(audited, auth, { status: fault.status, body, errors: fault.errors });
    return { status: fault.status, contentType: JSON_TYPE, body: `${JSON.stringify(body)}\n` };
  }
}

function authorize(call: Call, route: Route | undefined): void {
  const needed = call.operation;
  if (!call.acl.allows(call.path, needed, call.fields.raw)) throw denied();
  const sudo = typeof route?.sudo === 'object' ? route.sudo.includes(needed) : route?.sudo === true;
  if (sudo && !call.acl.allows(call.path, 'sudo')) throw denied();
}

function handlerOf(route: Route, operation: Operation): Route['read'] {
  return operation === 'create' || operation === 'update' ? route.write : route[operation];
}

function operationOf({ method, query }: Incoming): Operation {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return query.get('list') === 'true' ? 'list' : 'read';
    case 'LIST':
      return 'list';
    case 'POST':
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      throw new Fault('unsupported_operation', 'unsupported method', { errors: [] });
  }
}

function auditedAuth(token: Token): AuditedAuth {
  return { clientToken: token.id, accessor: token.accessor, displayName: token.displayName, policies: token.policies };
}
