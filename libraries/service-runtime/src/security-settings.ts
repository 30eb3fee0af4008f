import {
  AGENT_SOCKET,
  AUDIENCES,
  SPIFFE_ISSUER,
  TRUST_DOMAIN,
  WORKLOADS,
  type WorkloadName,
} from '@neural-hive/contracts';
import { type Environment, SecurityConfig, type SpiffeConfig, type VaultConfig } from '@neural-hive/security/config';
import { TrustDomain } from '@neural-hive/security/spiffe';
import { ConfigError, withDefaults } from './config.ts';

/** What every service of the platform knows about its security. */
export interface SecuritySettings {
  readonly vault: VaultConfig;
  readonly spiffe: SpiffeConfig & { readonly trustDomain: TrustDomain; readonly issuer: string };
  readonly tokenCache: SecurityConfig['tokenCache'];
}

/** Nothing of the platform runs without an identity and a lease; there is no switch for it. */
const MUST_BE_ON = {
  VAULT_ENABLED: 'every credential is leased',
  SECURITY_ENABLE_VAULT: 'every credential is leased',
  SPIFFE_ENABLED: 'nothing runs without an identity',
  SECURITY_ENABLE_SPIFFE: 'nothing runs without an identity',
} as const;

/** Machines that are one have one clock. */
const ONE_CLOCK = new Set(['development', 'dev', 'local', 'test']);

/**
 * Reads `VaultConfig`, `SpiffeConfig` and `SecurityConfig` with the platform's defaults for `workload`.
 * @throws ConfigError with every problem at once
 */
export function securitySettings(workload: WorkloadName, env: Environment = process.env): SecuritySettings {
  const problems = Object.entries(MUST_BE_ON).flatMap(([name, why]) => {
    const value = env[name];
    return value === undefined || value === '' || value === 'true' ? [] : [`${name}: must be true: ${why}`];
  });
  // What is wrong with a switch does not hide what is wrong with the rest.
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !(name in MUST_BE_ON)));
  try {
    const { vault, spiffe, tokenCache } = SecurityConfig.fromEnv(withDefaults(rest, defaultsOf(workload, env)));
    if (vault !== undefined && spiffe !== undefined && problems.length === 0) {
      const { trustDomain = TrustDomain.parse(TRUST_DOMAIN), issuer = SPIFFE_ISSUER } = spiffe;
      return { vault, spiffe: { ...spiffe, trustDomain, issuer }, tokenCache };
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  throw new ConfigError(problems);
}

function defaultsOf(workload: WorkloadName, env: Environment): Environment {
  const unset = (name: string): boolean => env[name] === undefined || env[name] === '';
  return {
    VAULT_KUBERNETES_ROLE: WORKLOADS[workload].serviceAccount,
    SPIFFE_TRUST_DOMAIN: TRUST_DOMAIN,
    SPIFFE_ISSUER,
    ...(unset('SPIFFE_SOCKET_PATH') && { SPIFFE_ENDPOINT_SOCKET: `unix://${AGENT_SOCKET}` }),
    // Of the token that logs in: the original gave it the name of the audience for this service.
    ...(unset('SPIFFE_JWT_AUDIENCE') && { VAULT_JWT_AUDIENCE: AUDIENCES.vault }),
    ...(ONE_CLOCK.has(env.ENVIRONMENT ?? '') && { SPIFFE_JWT_LEEWAY_SECONDS: '0' }),
  };
}
