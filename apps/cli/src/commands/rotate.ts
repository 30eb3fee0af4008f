import { readFileSync } from 'node:fs';
import { messageOf } from '@neural-hive/security/common';
import { KvUserError, type KvUserRotation, rotateKvUser, type UserAdmin } from '@neural-hive/security/credentials';
import { isVaultError, jwtAuth, tokenAuth, type VaultAuth, VaultClient } from '@neural-hive/security/vault';
import { EXIT, Failure } from '../failure.ts';
import type { Output } from '../output.ts';

export interface RotateOptions {
  readonly path?: string;
  readonly mount: string;
  readonly adminPath?: string;
  readonly consumer: readonly string[];
  readonly allowNoConsumers: boolean;
  readonly template?: string;
  readonly prefix?: string;
  /** In seconds. */
  readonly deadline: string;
  readonly vaultAddress?: string;
  readonly vaultCa?: string;
  readonly vaultTokenFile?: string;
  readonly vaultRole?: string;
  readonly vaultJwtFile?: string;
  readonly vaultAuthMount: string;
}

/** The server whose users are replaced. */
export interface RotatedServer {
  /** How its users are made and deleted, with the login in KV. */
  openUsers(vault: VaultClient): Promise<{ readonly users: UserAdmin; close(): Promise<void> }>;
  /** What an error of it means for the caller; undefined when it is none of its errors. */
  kindOf(error: unknown): keyof typeof EXIT | undefined;
}

export function problemsOf(options: RotateOptions): string[] {
  const problems: string[] = [];
  if (!options.path) problems.push('--path is needed: the KV entry with the login to replace');
  if (!options.adminPath) problems.push('--admin-path is needed: the KV entry with the login that may make users');
  if (!options.vaultAddress) problems.push('--vault-address or VAULT_ADDR is needed');
  const byJwt = options.vaultRole !== undefined && options.vaultJwtFile !== undefined;
  if (options.vaultTokenFile === undefined && !byJwt) {
    problems.push('--vault-token-file, or --vault-role and --vault-jwt-file, are needed: secrets come from files only');
  }
  if (!/^\d+(\.\d+)?$/.test(options.deadline)) problems.push(`--deadline ${options.deadline}: not a number of seconds`);
  return problems;
}

export function refuse(details: readonly string[]): void {
  if (details.length > 0) throw new Failure(EXIT.badInput, 'The rotation was not begun:', { details });
}

export function readGiven(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Failure(EXIT.badInput, `${flag}: ${messageOf(error)}`, { cause: error });
  }
}

function authOf({ vaultTokenFile, vaultRole = '', vaultJwtFile = '', vaultAuthMount }: RotateOptions): VaultAuth {
  if (vaultTokenFile !== undefined) return tokenAuth({ token: readGiven('--vault-token-file', vaultTokenFile) });
  const fetchToken = async (): Promise<string> => readGiven('--vault-jwt-file', vaultJwtFile);
  return jwtAuth({ role: vaultRole, mount: vaultAuthMount, fetchToken });
}

export async function rotate(options: RotateOptions, output: Output, server: RotatedServer): Promise<number> {
  const { path = '', vaultAddress = '', vaultCa, mount, consumer, allowNoConsumers, template, prefix } = options;
  let rotation: KvUserRotation;
  try {
    await using vault = await VaultClient.open({
      address: vaultAddress,
      auth: authOf(options),
      ...(vaultCa === undefined ? {} : { ca: { file: vaultCa } }),
    });
    const { users, close } = await server.openUsers(vault);
    try {
      rotation = await rotateKvUser({
        client: vault,
        path,
        mount,
        users,
        consumers: consumer,
        allowNoConsumers,
        deadlineMs: Number(options.deadline) * 1_000,
        onStep: (step, username) => output.line(`${step} ${username}`),
        ...(template === undefined ? {} : { template }),
        ...(prefix === undefined ? {} : { usernamePrefix: prefix }),
      });
    } finally {
      await close();
    }
  } catch (error) {
    throw failureOf(error, server);
  }
  for (const username of rotation.repaired) output.line(`repaired: deleted ${username}, which an earlier run had left`);
  for (const late of rotation.behind) output.line(`behind: ${late} had not moved within ${options.deadline} s`);
  output.line(`${mount}/${path} names ${rotation.username} in version ${rotation.version}`);
  output.result(rotation);
  return rotation.behind.length === 0 ? EXIT.ok : EXIT.fellShort;
}

/** What the user can mend, as the exit code says; anything else stays as it is. */
function failureOf(error: unknown, server: RotatedServer): unknown {
  if (error instanceof KvUserError) {
    const exitCode = error.code === 'changed-meanwhile' ? EXIT.fellShort : EXIT.badInput;
    return new Failure(exitCode, error.message, { cause: error });
  }
  const kind = server.kindOf(error) ?? kindOfVaultError(error);
  if (kind !== undefined) return new Failure(EXIT[kind], messageOf(error), { cause: error });
  if (error instanceof TypeError || error instanceof RangeError) {
    return new Failure(EXIT.badInput, error.message, { cause: error });
  }
  return error;
}

function kindOfVaultError(error: unknown): keyof typeof EXIT | undefined {
  if (!isVaultError(error)) return undefined;
  return isVaultError(error, 'permission-denied') ? 'refused' : 'environment';
}
