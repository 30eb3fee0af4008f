import { existsSync } from 'node:fs';
import { Secret } from '@neural-hive/security/common';

/** A server of this machine that runs already and is used instead of one that the platform starts. */
export interface GivenOpenBao {
  readonly address: string;
  readonly caFile: string;
  /** May do everything. */
  readonly rootToken: Secret<string>;
}

export interface GivenRedis {
  readonly host: string;
  readonly port: number;
  readonly caFile: string;
  /** A user that may manage users. */
  readonly admin: { readonly username: string; readonly password: Secret<string> };
}

const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost', '[::1]', '::1'];

/** A variable with more to it than its name; the others that belong to it are needed too. */
function together(env: NodeJS.ProcessEnv, names: readonly string[]): readonly string[] | undefined {
  const [first = ''] = names;
  if (!env[first]) return undefined;
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0)
    throw new Error(`${first} is set, and ${missing.join(', ')} is needed with it, or unset ${first}`);
  return names.map((name) => env[name] ?? '');
}

/** The platform sets such a server up and ends every lease on it: that is never done to another machine. */
function requireLoopback(variable: string, host: string): void {
  if (LOOPBACK.includes(host)) return;
  throw new Error(`${variable} names ${host}: only a server of this machine is set up and cleared. Unset ${variable}`);
}

function requireFile(variable: string, path: string): void {
  if (!existsSync(path)) throw new Error(`${variable} names ${path}, which is not there`);
}

/** VAULT_ADDR, VAULT_CACERT and VAULT_TOKEN, as `npm run real -- env` prints them; undefined without VAULT_ADDR. */
export function givenOpenBao(env: NodeJS.ProcessEnv): GivenOpenBao | undefined {
  const given = together(env, ['VAULT_ADDR', 'VAULT_CACERT', 'VAULT_TOKEN']);
  if (given === undefined) return undefined;
  const [address = '', caFile = '', token = ''] = given;
  if (!URL.canParse(address)) throw new Error('VAULT_ADDR is not a URL');
  requireLoopback('VAULT_ADDR', new URL(address).hostname);
  requireFile('VAULT_CACERT', caFile);
  return { address: new URL(address).origin, caFile, rootToken: new Secret(token) };
}

/** REDIS_HOST, REDIS_PORT, REDIS_CACERT, REDIS_USERNAME and REDIS_PASSWORD, likewise. */
export function givenRedis(env: NodeJS.ProcessEnv): GivenRedis | undefined {
  const given = together(env, ['REDIS_HOST', 'REDIS_PORT', 'REDIS_CACERT', 'REDIS_USERNAME', 'REDIS_PASSWORD']);
  if (given === undefined) return undefined;
  const [host = '', port = '', caFile = '', username = '', password = ''] = given;
  requireLoopback('REDIS_HOST', host);
  requireFile('REDIS_CACERT', caFile);
  if (!/^\d{1,5}$/.test(port)) throw new Error('REDIS_PORT is not a port');
  return { host, port: Number(port), caFile, admin: { username, password: new Secret(password) } };
}
