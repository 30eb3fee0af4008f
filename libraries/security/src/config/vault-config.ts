import { z } from 'zod';
import { isNonProduction, type Secret } from '../common/index.ts';
import { parseAddress } from '../vault/address.ts';
import type { CaSource } from '../vault/index.ts';
import { type Environment, field } from './environment.ts';
import { checked, path, readConsistent, secret } from './fields.ts';

/** How the client logs in. */
export type VaultLogin =
  /** `kubernetesAuth` takes it. */
  | { readonly method: 'kubernetes'; readonly mount: string; readonly role: string; readonly tokenFile: string }
  /** For `jwtAuth`; the token is a JWT-SVID for the audience unless a file is named. */
  | {
      readonly method: 'jwt';
      readonly mount: string;
      readonly role: string;
      readonly audience: string | undefined;
      readonly tokenFile: string | undefined;
    }
  | {
      readonly method: 'approle';
      readonly mount: string;
      readonly roleId: string;
      /** In the environment, or in a file that is read at each login. */
      readonly secretId: { readonly text: Secret } | { readonly file: string };
    }
  /** `tokenAuth` takes it. */
  | { readonly method: 'token'; readonly token: Secret };

/** What `VaultConfig.fromEnv` reads. The server's certificate is always verified. */
export interface VaultConfig {
  readonly enabled: boolean;
  readonly address: string;
  /** The server's CA; undefined for the system's. */
  readonly ca: CaSource | undefined;
  readonly namespace: string | undefined;
  readonly login: VaultLogin;
  readonly mounts: { readonly kv: string; readonly database: string; readonly pki: string };
  readonly requestTimeoutMs: number;
  readonly maxRetries: number;
  /** Whether to go on without Vault, by `FailOpen`. Never true in production. */
  readonly failOpen: boolean;
  readonly environment: string;
  /** For `LeaseJournal`; undefined keeps none. */
  readonly leaseJournalFolder: string | undefined;
}

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const METHODS = ['kubernetes', 'jwt', 'approle', 'token'] as const;

/** What is no URL at all may be anything, a secret too: it is not quoted. */
function parseShownAddress(text: string): unknown {
  if (!URL.canParse(text)) throw new TypeError('must be a URL such as https://vault.example:8200');
  return parseAddress(text);
}

const mount = (fallback: string, what: string) =>
  field
    .text()
    .regex(/^[^/\s]+(\/[^/\s]+)*$/, 'must be a path without a slash at its ends')
    .default(fallback)
    .meta({ form: 'path', description: `Where ${what} is mounted.` });

const schema = z.object({
  VAULT_ENABLED: field.flag().default(true).meta({
    form: '`true` or `false`',
    description: 'Whether Vault is used at all.',
  }),
  VAULT_ADDRESS: checked(parseShownAddress).default('https://vault.vault.svc.cluster.local:8200').meta({
    form: 'URL',
    description: 'The server: `https`, or `http` on the loopback interface.',
  }),
  VAULT_CA_BUNDLE: path("The server's CA, PEM; read anew for each connection. Unset: the system's."),
  VAULT_TLS_VERIFY: z
    .literal('true', { error: "must be true: trust the server's CA with VAULT_CA_BUNDLE instead" })
    .optional()
    .meta({ form: '`true`', description: 'There to be refused when somebody switches the verification off.' }),
  VAULT_NAMESPACE: field.text().optional().meta({ form: 'path', description: 'The namespace of all paths.' }),
  VAULT_AUTH_METHOD: z
    .enum(METHODS)
    .default('kubernetes')
    .meta({ form: METHODS.map((name) => `\`${name}\``).join(', '), description: 'How to log in.' }),
  VAULT_AUTH_MOUNT: field.text().optional().meta({
    form: 'path',
    description: 'Where the auth method is mounted. Unset: under its own name.',
  }),
  VAULT_KUBERNETES_ROLE: field.text().optional().meta({
    form: 'name',
    description: 'The role to log in as, for `kubernetes` and `jwt`; required there.',
  }),
  VAULT_TOKEN_PATH: path(
    `The token to log in with, read at each login. Unset: \`${SERVICE_ACCOUNT_TOKEN}\` for \`kubernetes\`, a JWT-SVID for \`jwt\`.`,
  ),
  VAULT_JWT_AUDIENCE: field.text().optional().meta({
    form: 'text',
    description: 'The audience of the JWT-SVID to log in with. Unset: `SPIFFE_JWT_AUDIENCE`.',
  }),
  SPIFFE_JWT_AUDIENCE: field.text().optional().meta({
    form: 'text',
    description: 'The same where one audience serves both.',
  }),
  VAULT_ROLE_ID: field.text().optional().meta({ form: 'text', description: 'For `approle`; required there.' }),
  VAULT_SECRET_ID_PATH: path('For `approle`: the secret id, read at each login.'),
  VAULT_SECRET_ID: secret().meta({
    form: 'text',
    description: 'For `approle`: the same in the variable itself.',
    secret: true,
  }),
  VAULT_TOKEN: secret().meta({ form: 'token', description: 'For `token`; required there.', secret: true }),
  VAULT_MOUNT_KV: mount('secret', 'the KV engine, version 2,'),
  VAULT_MOUNT_DATABASE: mount('database', 'the database engine'),
  VAULT_MOUNT_PKI: mount('pki', 'the PKI engine'),
  VAULT_TIMEOUT_SECONDS: field.seconds({ min: 0.1, max: 600 }).default(5).meta({
    form: 'seconds',
    description: 'For one attempt, answer included.',
  }),
  VAULT_MAX_RETRIES: field.count({ max: 10 }).default(3).meta({
    form: '0 to 10',
    description: 'Repetitions after the first attempt, where repeating is safe.',
  }),
  VAULT_FAIL_OPEN: field.flag().default(false).meta({
    form: '`true` or `false`',
    description: 'Whether to start without Vault and keep trying. Refused in production.',
  }),
  VAULT_LEASE_JOURNAL_PATH: path(
    'A folder for the ids of what is leased, so that the next start can revoke it after a crash.',
  ),
  ENVIRONMENT: field.text().default('production').meta({
    form: 'name',
    description: 'Where this runs. `development`, `dev`, `local` and `test` admit `VAULT_FAIL_OPEN`.',
  }),
  NODE_ENV: field.text().optional().meta({
    form: 'name',
    description: '`production` refuses `VAULT_FAIL_OPEN`, whatever `ENVIRONMENT` says.',
  }),
});

type Read = z.output<typeof schema>;

export const VaultConfig = {
  /** The variables, each with its meaning. */
  schema,

  /**
   * Reads the environment. An empty variable counts as unset; secrets are wrapped, so that printing the result shows none.
   * @throws ConfigError with every problem at once
   */
  fromEnv(env: Environment = process.env): VaultConfig {
    return resolve(readConsistent(schema, env, contradictions));
  },
};

function* contradictions(env: Environment): Generator<string> {
  const has = (name: string): boolean => env[name] !== undefined && env[name] !== '';
  if (env.VAULT_FAIL_OPEN === 'true') {
    if (!isNonProduction(env.ENVIRONMENT)) {
      yield 'VAULT_FAIL_OPEN: is refused unless ENVIRONMENT is development, dev, local or test';
    } else if (env.NODE_ENV === 'production') {
      yield 'VAULT_FAIL_OPEN: is refused because NODE_ENV is production';
    }
  }
  if (has('VAULT_SECRET_ID') && has('VAULT_SECRET_ID_PATH')) {
    yield 'VAULT_SECRET_ID: is set and so is VAULT_SECRET_ID_PATH; set one of them';
  }
  if (env.VAULT_ENABLED === 'false') return;
  const method = has('VAULT_AUTH_METHOD') ? env.VAULT_AUTH_METHOD : 'kubernetes';
  const needs = (name: string): string => `${name}: is required for ${method} and not set`;
  if ((method === 'kubernetes' || method === 'jwt') && !has('VAULT_KUBERNETES_ROLE'))
    yield needs('VAULT_KUBERNETES_ROLE');
  if (method === 'jwt' && !['VAULT_TOKEN_PATH', 'VAULT_JWT_AUDIENCE', 'SPIFFE_JWT_AUDIENCE'].some(has)) {
    yield 'VAULT_JWT_AUDIENCE: jwt needs the audience of a JWT-SVID, or VAULT_TOKEN_PATH';
  }
  if (method === 'approle' && !has('VAULT_ROLE_ID')) yield needs('VAULT_ROLE_ID');
  if (method === 'approle' && !has('VAULT_SECRET_ID') && !has('VAULT_SECRET_ID_PATH')) {
    yield needs('VAULT_SECRET_ID_PATH');
  }
  if (method === 'token' && !has('VAULT_TOKEN')) yield needs('VAULT_TOKEN');
}

function resolve(read: Read): VaultConfig {
  return {
    enabled: read.VAULT_ENABLED,
    address: read.VAULT_ADDRESS,
    ca: read.VAULT_CA_BUNDLE === undefined ? undefined : { file: read.VAULT_CA_BUNDLE },
    namespace: read.VAULT_NAMESPACE,
    login: loginOf(read),
    mounts: { kv: read.VAULT_MOUNT_KV, database: read.VAULT_MOUNT_DATABASE, pki: read.VAULT_MOUNT_PKI },
    requestTimeoutMs: Math.round(read.VAULT_TIMEOUT_SECONDS * 1_000),
    maxRetries: read.VAULT_MAX_RETRIES,
    failOpen: read.VAULT_FAIL_OPEN,
    environment: read.ENVIRONMENT,
    leaseJournalFolder: read.VAULT_LEASE_JOURNAL_PATH,
  };
}

/** What is required was judged before; where Vault is off, nothing is. */
function loginOf(read: Read): VaultLogin {
  const method = read.VAULT_AUTH_METHOD;
  const mountPath = read.VAULT_AUTH_MOUNT ?? method;
  const role = read.VAULT_KUBERNETES_ROLE ?? '';
  const tokenFile = read.VAULT_TOKEN_PATH;
  if (method === 'token' && read.VAULT_TOKEN !== undefined) return { method, token: read.VAULT_TOKEN };
  if (method === 'approle') {
    const { VAULT_ROLE_ID: roleId = '', VAULT_SECRET_ID: text, VAULT_SECRET_ID_PATH: file = '' } = read;
    return { method, mount: mountPath, roleId, secretId: text === undefined ? { file } : { text } };
  }
  if (method === 'jwt') {
    const audience = read.VAULT_JWT_AUDIENCE ?? read.SPIFFE_JWT_AUDIENCE;
    return { method, mount: mountPath, role, audience, tokenFile };
  }
  return { method: 'kubernetes', mount: mountPath, role, tokenFile: tokenFile ?? SERVICE_ACCOUNT_TOKEN };
}
