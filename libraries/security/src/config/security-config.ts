import { z } from 'zod';
import { type Environment, field, readConfig, readParts } from './environment.ts';
import { SpiffeConfig } from './spiffe-config.ts';
import { VaultConfig } from './vault-config.ts';

/** What `SecurityConfig.fromEnv` reads: all that a service needs to know about its security. */
export interface SecurityConfig {
  /** Undefined when it is switched off. */
  readonly vault: VaultConfig | undefined;
  /** Undefined when it is switched off. */
  readonly spiffe: SpiffeConfig | undefined;
  /** For `TokenCache`. */
  readonly tokenCache: {
    readonly strategy: 'eager' | 'lazy' | 'disabled';
    readonly maxEntries: number;
    readonly refreshShare: number;
  };
}

const STRATEGIES = ['eager', 'lazy', 'disabled'] as const;

const schema = z.object({
  SECURITY_ENABLE_VAULT: field.flag().default(true).meta({
    form: '`true` or `false`',
    description: 'Whether Vault is used; so it is unless this or `VAULT_ENABLED` says no.',
  }),
  SECURITY_ENABLE_SPIFFE: field.flag().default(true).meta({
    form: '`true` or `false`',
    description: 'Whether SPIFFE is used.',
  }),
  SECURITY_TOKEN_CACHE_STRATEGY: z
    .enum(STRATEGIES)
    .default('lazy')
    .meta({
      form: STRATEGIES.map((name) => `\`${name}\``).join(', '),
      description: 'Whether cached tokens are replaced before they are asked for, when they are, or not kept at all.',
    }),
  SECURITY_TOKEN_CACHE_MAX_ENTRIES: field.count({ min: 1 }).default(256).meta({
    form: 'number from 1',
    description: 'How many tokens are kept.',
  }),
  SECURITY_TOKEN_REFRESH_SHARE: z
    .string()
    .regex(/^0\.\d{1,3}$/, 'must be a number between 0 and 1')
    .transform(Number)
    .pipe(z.number().min(0.1).max(0.95))
    .default(0.8)
    .meta({ form: '0.1 to 0.95', description: "The share of a token's life after which it is replaced." }),
});

export const SecurityConfig = {
  /** The variables of its own; those of its parts are in `VaultConfig.schema` and `SpiffeConfig.schema`. */
  schema,

  /**
   * Reads the environment. What is switched off is not read. Secrets are wrapped, so that printing the result shows none.
   * @throws ConfigError with every problem of all parts at once
   */
  fromEnv(env: Environment = process.env): SecurityConfig {
    const vaultOn = env.SECURITY_ENABLE_VAULT !== 'false' && env.VAULT_ENABLED !== 'false';
    const spiffeOn = env.SECURITY_ENABLE_SPIFFE !== 'false';
    const { read, vault, spiffe } = readParts({
      read: () => readConfig(schema, env),
      vault: () => (vaultOn ? VaultConfig.fromEnv(env) : undefined),
      spiffe: () => (spiffeOn ? SpiffeConfig.fromEnv(env) : undefined),
    });
    return {
      vault,
      spiffe,
      tokenCache: {
        strategy: read.SECURITY_TOKEN_CACHE_STRATEGY,
        maxEntries: read.SECURITY_TOKEN_CACHE_MAX_ENTRIES,
        refreshShare: read.SECURITY_TOKEN_REFRESH_SHARE,
      },
    };
  },
};
