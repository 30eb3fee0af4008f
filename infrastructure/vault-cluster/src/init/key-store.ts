import { PutSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { InitSettings } from '../settings.ts';

export type KeptSecret = keyof InitSettings['secrets'];

/** Where the keys of a new cluster are kept. It can be written and not read. */
export interface KeyStore {
  put(name: KeptSecret, value: Readonly<Record<string, unknown>>): Promise<void>;
}

/** AWS Secrets Manager, as a role that may put these two secrets and nothing else. */
export function secretsManagerStore(client: SecretsManagerClient, names: InitSettings['secrets']): KeyStore {
  return {
    async put(name, value) {
      await client.send(new PutSecretValueCommand({ SecretId: names[name], SecretString: JSON.stringify(value) }));
    },
  };
}
