import { readFileSync } from 'node:fs';
import { messageOf } from '@neural-hive/security/common';
import { KvUserError, type KvUserRotation, rotateKvUser, type UserAdmin } from '@neural-hive/security/credentials';
import { KafkaError, kafkaScramUsers, parseKafkaLogin } from '@neural-hive/security/kafka';
import { isVaultError, jwtAuth, tokenAuth, type VaultAuth, VaultClient } from '@neural-hive/security/vault';
import { EXIT, environmentFailure, Failure } from '../failure.ts';
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

export interface RotateKafkaOptions extends RotateOptions {
  readonly broker: readonly string[];
  readonly ca?: string;
}

/** Replaces the Kafka user that a KV entry names by another. */
export async function rotateKafka(options: RotateKafkaOptions, output: Output): Promise<number> {
  const problems = problemsOf(options);
  if (options.broker.length === 0) problems.push('--broker HOST:PORT is needed, once at least');
  for (const broker of options.broker) if (!/.:\d+$/.test(broker)) problems.push(`--broker ${broker}: not HOST:PORT`);
  refuse(problems);
  const tls = options.ca === undefined ? {} : { ca: readGiven('--ca', options.ca) };
  return rotate(options, output, (vault) =>
    kafkaScramUsers({
      brokers: options.broker,
      tls,
      login: async () => parseKafkaLogin((await vault.kv(options.mount).read(options.adminPath ?? '')).data),
    }),
  );
}

function problemsOf(options: RotateOptions): string[] {
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

function refuse(details: readonly string[]): void {
  if (details.length > 0) throw new Failure(EXIT.badInput, 'The rotation was not begun:', { details });
}

function readGiven(flag: string, path: string): string {
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

async function rotate(
  options: RotateOptions,
  output: Output,
  usersOf: (vault: VaultClient) => UserAdmin,
): Promise<number> {
  const { path = '', vaultAddress = '', vaultCa, mount, consumer, allowNoConsumers, template, prefix } = options;
  let rotation: KvUserRotation;
  try {
    await using vault = await VaultClient.open({
      address: vaultAddress,
      auth: authOf(options),
      ...(vaultCa === undefined ? {} : { ca: { file: vaultCa } }),
    });
    rotation = await rotateKvUser({
      client: vault,
      path,
      mount,
      users: usersOf(vault),
      consumers: consumer,
      allowNoConsumers,
      deadlineMs: Number(options.deadline) * 1_000,
      onStep: (step, username) => output.line(`${step} ${username}`),
      ...(template === undefined ? {} : { template }),
      ...(prefix === undefined ? {} : { usernamePrefix: prefix }),
    });
  } catch (error) {
    throw failureOf(error);
  }
  for (const username of rotation.repaired) output.line(`repaired: deleted ${username}, which an earlier run had left`);
  for (const late of rotation.behind) output.line(`behind: ${late} had not moved within ${options.deadline} s`);
  output.line(`${mount}/${path} names ${rotation.username} in version ${rotation.version}`);
  output.result(rotation);
  return rotation.behind.length === 0 ? EXIT.ok : EXIT.fellShort;
}

/** What the user can mend, as the exit code says; anything else stays as it is. */
function failureOf(error: unknown): unknown {
  if (error instanceof KvUserError) {
    const exitCode = error.code === 'changed-meanwhile' ? EXIT.fellShort : EXIT.badInput;
    return new Failure(exitCode, error.message, { cause: error });
  }
  const refused =
    isVaultError(error, 'permission-denied') ||
    (error instanceof KafkaError && (error.code === 'login-refused' || error.code === 'refused'));
  if (refused) return new Failure(EXIT.refused, messageOf(error), { cause: error });
  if (error instanceof KafkaError || isVaultError(error)) return environmentFailure(messageOf(error), error);
  if (error instanceof TypeError || error instanceof RangeError) {
    return new Failure(EXIT.badInput, error.message, { cause: error });
  }
  return error;
}
