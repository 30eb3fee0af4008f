import type { Secret } from '../../common/index.ts';
import type { VaultCall } from '../dispatch.ts';
import { isJsonObject, type VaultEnvelope, type WrapInfo } from '../envelope.ts';
import { VaultError } from '../errors.ts';
import type { EngineContext } from './context.ts';

interface WithSignal {
  readonly signal?: AbortSignal | undefined;
}

/** What may be known of a wrapped answer without opening it. */
export interface WrappingLookup {
  /** The path whose answer is inside. */
  readonly creationPath: string;
  readonly createdAtMs: number;
  /** How long the wrapping token lived when it was made. In seconds. */
  readonly ttlSeconds: number;
}

/** Response wrapping: an answer is kept on the server, to be had once, for a token that is handed on. */
export interface WrappingEngine {
  /** Has `data` wrapped. */
  wrap(data: object, options: WithSignal & { ttlSeconds: number }): Promise<WrapInfo>;
  /** Has the answer to a call wrapped, for instance that of `auth/approle/role/r/secret-id`. */
  wrapAnswer(call: VaultCall, options: { ttlSeconds: number }): Promise<WrapInfo>;
  /** Rejects with `invalid-request` when the token was used or has ended: somebody else may have opened it. */
  lookup(token: Secret<string>, options?: WithSignal): Promise<WrappingLookup>;
  /**
   * Opens it: once, and never repeated. First checks that the answer inside is that of `creationPath`, and rejects
   * with `wrapping-mismatch` otherwise, without opening it. A rejection of any kind is an alarm: the token may
   * have been replaced or opened on its way.
   */
  unwrap(token: Secret<string>, options: WithSignal & { creationPath: string }): Promise<VaultEnvelope>;
  /** Moves it under a new token of the same lifetime; the old one ends. Never repeated. */
  rewrap(token: Secret<string>, options?: WithSignal): Promise<WrapInfo>;
}

type SendWith = (call: VaultCall, token?: Secret<string>) => Promise<VaultEnvelope>;

function wrapInfoOf({ wrapInfo }: VaultEnvelope): WrapInfo {
  if (wrapInfo !== undefined) return wrapInfo;
  throw new VaultError('bad-response', 'Having an answer wrapped: the answer holds no wrapping token');
}

export async function lookupWrapping(
  send: SendWith,
  token: Secret<string>,
  signal?: AbortSignal,
): Promise<WrappingLookup> {
  const path = 'sys/wrapping/lookup';
  const body = { token: token.reveal() };
  const { data } = await send({ method: 'POST', path, body, operation: 'wrapping.lookup', safe: true, signal });
  const { creation_path: creationPath, creation_time: created, creation_ttl: ttl } = data;
  if (typeof creationPath !== 'string') {
    throw new VaultError('bad-response', `POST ${path}: the answer has no creation_path`);
  }
  return {
    creationPath,
    createdAtMs: typeof created === 'string' ? Date.parse(created) : 0,
    ttlSeconds: typeof ttl === 'number' ? ttl : 0,
  };
}

export async function unwrapChecked(
  send: SendWith,
  token: Secret<string>,
  options: WithSignal & { creationPath: string },
): Promise<VaultEnvelope> {
  const { creationPath, signal } = options;
  const found = await lookupWrapping(send, token, signal);
  if (found.creationPath !== creationPath) {
    throw new VaultError(
      'wrapping-mismatch',
      `Unwrapping: the answer inside is that of ${found.creationPath}, not of ${creationPath}; somebody may have replaced the token`,
      { maybeExecuted: false },
    );
  }
  // With the wrapping token as the token of the call: the client's own needs no policy for it.
  return send({ method: 'POST', path: 'sys/wrapping/unwrap', operation: 'wrapping.unwrap', once: true, signal }, token);
}

/** `sendWith` sends without the client's token. */
export function wrappingEngine({ call }: EngineContext, sendWith: SendWith): WrappingEngine {
  return {
    async wrap(data, { ttlSeconds, signal }) {
      const body = { ...data };
      const path = 'sys/wrapping/wrap';
      const request = { method: 'POST', path, body, operation: 'wrapping.wrap', safe: true, signal } as const;
      return wrapInfoOf(await call({ ...request, wrapTtlSeconds: ttlSeconds }));
    },
    async wrapAnswer(request, { ttlSeconds }) {
      return wrapInfoOf(await call({ ...request, wrapTtlSeconds: ttlSeconds }));
    },
    lookup: (token, { signal } = {}) => lookupWrapping(sendWith, token, signal),
    unwrap: (token, options) => unwrapChecked(sendWith, token, options),
    async rewrap(token, { signal } = {}) {
      const body = { token: token.reveal() };
      const path = 'sys/wrapping/rewrap';
      return wrapInfoOf(await call({ method: 'POST', path, body, operation: 'wrapping.rewrap', once: true, signal }));
    },
  };
}

/** The text under `field` of what was inside. */
export function textInside({ data }: VaultEnvelope, field: string): string {
  const value = isJsonObject(data) ? data[field] : undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw new VaultError('bad-response', `Unwrapping: the answer inside has no ${field}`);
}
