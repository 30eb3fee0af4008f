import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InjectedFile } from '@neural-hive/contracts';
import { type CredentialProvider, fileSecret } from '@neural-hive/security/credentials';
import type { Logger } from '@neural-hive/security/vault';

type Fields = Readonly<Record<string, unknown>>;

export interface InjectedSecretOptions<T> {
  /** Where the agent writes, from `VAULT_AGENT_SECRETS_PATH`. Undefined: there is no agent. */
  readonly folder: string | undefined;
  /** The name that the chart's `vault.agent.secrets` gives the secret. */
  readonly file: InjectedFile;
  /** Throws when something is missing; its error must not quote the fields. */
  readonly parse: (fields: Fields) => T;
  readonly logger?: Logger;
}

/**
 * A secret that the agent of the Vault Agent injector writes as JSON and replaces in time. Undefined where it does not: the
 * service leases or reads that one itself. The agent holds the lease, so nothing is revoked here.
 */
export function injectedSecret<T>(options: InjectedSecretOptions<T>): CredentialProvider<T> | undefined {
  const { folder, file, parse, logger } = options;
  const path = injectedFile(folder, file);
  if (path === undefined) return undefined;
  return fileSecret({
    name: `file/${file}`,
    files: { secret: path },
    parse: ({ secret }) => parse(fieldsOf(secret, file)),
    ...(logger !== undefined && { logger }),
  });
}

/**
 * What the agent has written to `file` now; undefined where it writes no such file.
 * @throws TypeError when it is no JSON object; never holds what is there
 */
export async function readInjected(folder: string | undefined, file: InjectedFile): Promise<Fields | undefined> {
  const path = injectedFile(folder, file);
  return path === undefined ? undefined : fieldsOf(await readFile(path, 'utf8'), file);
}

/** The injector's init container has written every file before the service starts. */
function injectedFile(folder: string | undefined, file: InjectedFile): string | undefined {
  if (folder === undefined) return undefined;
  const path = join(folder, file);
  return existsSync(path) ? path : undefined;
}

function fieldsOf(text: string, file: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error of JSON.parse quotes what it read.
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new TypeError(`${file}: the injected file is no JSON object`);
}
