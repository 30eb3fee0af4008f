import { Secret } from '../common/index.ts';
import { VaultError } from './errors.ts';

/** The answer to a login. */
export interface AuthBlock {
  readonly token: Secret<string>;
  readonly accessor: string;
  readonly leaseSeconds: number;
  readonly renewable: boolean;
  readonly type: string;
  readonly policies: readonly string[];
}

/** An answer that is kept on the server, to be had once for this token. */
export interface WrapInfo {
  readonly token: Secret<string>;
  readonly accessor: string;
  readonly ttlSeconds: number;
  readonly createdAtMs: number;
  /** The path whose answer is inside: whoever unwraps it checks this first. */
  readonly creationPath: string;
  /** That of the token inside, when a login was wrapped. */
  readonly wrappedAccessor?: string;
}

/** What every answer of Vault's API consists of. */
export interface VaultEnvelope {
  readonly status: number;
  readonly requestId?: string;
  /** Empty when the answer made no lease. */
  readonly leaseId: string;
  readonly leaseSeconds: number;
  readonly renewable: boolean;
  /** The `data` of the answer; the whole body for the few `sys/` paths that have none. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly auth?: AuthBlock;
  /** Present, instead of data, when the call asked to have its answer wrapped. */
  readonly wrapInfo?: WrapInfo;
  readonly warnings: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function badResponse(attempted: string, rule: string): VaultError {
  return new VaultError('bad-response', `${attempted}: ${rule}. Is the address that of a Vault server?`);
}

export function parseBody(body: string, attempted: string): Json {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // The parser's own message quotes the body, which may hold a secret.
    throw badResponse(attempted, 'the answer is not JSON');
  }
  if (!isJsonObject(value)) throw badResponse(attempted, 'the answer is not a JSON object');
  return value;
}

export function errorTextsOf(body: Json): string[] {
  return textsOf(body.errors);
}

function secondsOf(value: unknown, field: string, attempted: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw badResponse(attempted, `${field} is not a number of seconds`);
  }
  return value;
}

function parseAuth(value: Json, attempted: string): AuthBlock {
  const { client_token: token, accessor } = value;
  if (value.mfa_requirement !== undefined && value.mfa_requirement !== null) {
    throw new VaultError('login-incomplete', `${attempted}: the login asks for a second factor, which services lack`);
  }
  // The token becomes a header: anything but printable ASCII would be a way to add another.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new VaultError('login-incomplete', `${attempted}: the answer holds no usable token`);
  }
  return {
    token: new Secret(token),
    accessor: typeof accessor === 'string' ? accessor : '',
    leaseSeconds: secondsOf(value.lease_duration, 'auth.lease_duration', attempted),
    renewable: value.renewable === true,
    type: typeof value.token_type === 'string' ? value.token_type : 'service',
    policies: textsOf(value.policies),
  };
}

function parseWrapInfo(value: Json, attempted: string): WrapInfo {
  const { token, accessor, creation_path: creationPath, wrapped_accessor: wrapped } = value;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw badResponse(attempted, 'wrap_info holds no usable token');
  }
  const createdAtMs = typeof value.creation_time === 'string' ? Date.parse(value.creation_time) : Number.NaN;
  return {
    token: new Secret(token),
    accessor: typeof accessor === 'string' ? accessor : '',
    ttlSeconds: secondsOf(value.ttl, 'wrap_info.ttl', attempted),
    createdAtMs: Number.isNaN(createdAtMs) ? 0 : createdAtMs,
    creationPath: typeof creationPath === 'string' ? creationPath : '',
    ...(typeof wrapped === 'string' && wrapped !== '' ? { wrappedAccessor: wrapped } : {}),
  };
}

function dataOf(body: Json): Json {
  if (isJsonObject(body.data)) return body.data;
  const elsewhere = body.data === null || isJsonObject(body.auth) || isJsonObject(body.wrap_info);
  return elsewhere ? {} : body;
}

export function parseEnvelope(status: number, body: Json, attempted: string): VaultEnvelope {
  return {
    status,
    ...(typeof body.request_id === 'string' && body.request_id !== '' ? { requestId: body.request_id } : {}),
    leaseId: typeof body.lease_id === 'string' ? body.lease_id : '',
    leaseSeconds: secondsOf(body.lease_duration, 'lease_duration', attempted),
    renewable: body.renewable === true,
    data: dataOf(body),
    ...(isJsonObject(body.wrap_info) ? { wrapInfo: parseWrapInfo(body.wrap_info, attempted) } : {}),
    ...(isJsonObject(body.auth) ? { auth: parseAuth(body.auth, attempted) } : {}),
    warnings: textsOf(body.warnings),
  };
}
