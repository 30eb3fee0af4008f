import { z } from 'zod';
import type { Secret } from '../common/index.ts';
import {
  admitsFallback,
  endpointTarget,
  type FallbackText,
  type FileSourceOptions,
  SpiffeId,
  TrustDomain,
} from '../spiffe/index.ts';
import { type Environment, field } from './environment.ts';
import { checked, path, readConsistent, secret } from './fields.ts';

/** What `SpiffeConfig.fromEnv` reads. Nothing here switches a check of a peer off. */
export interface SpiffeConfig {
  /** Of the Workload API; undefined when none is configured, which only a fallback makes up for. */
  readonly endpoint: string | undefined;
  readonly trustDomain: TrustDomain | undefined;
  /** What tokens for this service must name. */
  readonly jwtAudience: string | undefined;
  /** What `iss` of tokens must be; undefined asks for none. */
  readonly issuer: string | undefined;
  /** How far a token may be past its times, in seconds. */
  readonly leewaySeconds: number;
  /** How long a source waits for its first SVID, in milliseconds. */
  readonly initialSyncTimeoutMs: number;
  /** How long an SVID stays in use after the agent denied it, in milliseconds. */
  readonly deniedGraceMs: number;
  readonly environment: string;
  /** For `openWithFallback`; undefined unless it was allowed. */
  readonly fallback: FileSourceOptions | undefined;
}

const schema = z.object({
  SPIFFE_ENDPOINT_SOCKET: checked(endpointTarget).optional().meta({
    form: '`unix:///path` or `tcp://ip:port`',
    description: 'Where the agent serves the Workload API.',
  }),
  SPIFFE_SOCKET_PATH: checked(endpointTarget).optional().meta({
    form: '`unix:///path` or `tcp://ip:port`',
    description: 'The same under an older name; counts when the other is not set.',
  }),
  SPIFFE_TRUST_DOMAIN: checked(TrustDomain.parse).optional().meta({
    form: 'name',
    description: 'The trust domain of this service.',
  }),
  SPIFFE_JWT_AUDIENCE: field.text().optional().meta({
    form: 'text',
    description: 'The audience that a token for this service must name.',
  }),
  SPIFFE_ISSUER: field.text().optional().meta({
    form: 'text',
    description: 'The `iss` that a token must have, exactly. Unset: none is asked for.',
  }),
  SPIFFE_JWT_LEEWAY_SECONDS: field.count({ max: 120 }).default(30).meta({
    form: '0 to 120',
    description: 'How far a token may be past its times.',
  }),
  SPIFFE_INITIAL_SYNC_TIMEOUT_SECONDS: field.seconds({ max: 3_600 }).default(10).meta({
    form: 'seconds',
    description: 'How long the start waits for the first SVID.',
  }),
  SPIFFE_DENIED_GRACE_SECONDS: field.seconds({ min: 0, max: 3_600 }).default(0).meta({
    form: 'seconds',
    description: 'How long an SVID stays in use after the agent denied it.',
  }),
  SPIFFE_ENVIRONMENT: field.text().optional().meta({
    form: 'name',
    description: 'Where this runs; unset: `ENVIRONMENT`.',
  }),
  ENVIRONMENT: field.text().default('production').meta({
    form: 'name',
    description: 'Where this runs. `development`, `dev`, `local` and `test` admit the fallback.',
  }),
  SPIFFE_FALLBACK_ALLOWED: field.flag().default(false).meta({
    form: '`true` or `false`',
    description: 'Whether SVIDs may come from the files and variables below when no agent is there.',
  }),
  SPIFFE_ID: checked(SpiffeId.parse).optional().meta({
    form: 'SPIFFE ID',
    description: 'Fallback: the identity that its SVIDs must have.',
  }),
  SPIFFE_X509_SVID_PATH: path('Fallback: the X509-SVID, PEM, leaf first.'),
  SPIFFE_X509_SVID: secret().meta({
    form: 'PEM',
    description: 'Fallback: the same in the variable itself.',
    secret: true,
  }),
  SPIFFE_X509_KEY_PATH: path('Fallback: the key of the X509-SVID, PKCS#8 PEM.'),
  SPIFFE_X509_KEY: secret().meta({
    form: 'PEM',
    description: 'Fallback: the same in the variable itself.',
    secret: true,
  }),
  SPIFFE_JWT_TOKEN_PATH: path('Fallback: a JWT-SVID. It serves the audiences that it names, until it expires.'),
  SPIFFE_JWT_TOKEN: secret().meta({
    form: 'token',
    description: 'Fallback: the same in the variable itself.',
    secret: true,
  }),
  SPIFFE_X509_BUNDLE_PATH: path('Fallback: the X.509 authorities of the own trust domain, PEM.'),
  SPIFFE_JWT_BUNDLE_PATH: path('Fallback: the JWT authorities of the own trust domain, a JWK set.'),
  SPIFFE_BUNDLE_MAP_PATH: path('Fallback: bundles of any trust domains, a SPIFFE bundle map.'),
});

type Read = z.output<typeof schema>;

export const SpiffeConfig = {
  /** The variables, each with its meaning. */
  schema,

  /**
   * Reads the environment. An empty variable counts as unset; secrets are wrapped, so that printing the result shows none.
   * @throws ConfigError with every problem at once
   */
  fromEnv(env: Environment = process.env): SpiffeConfig {
    return resolve(readConsistent(schema, env, contradictions));
  },
};

function* contradictions(env: Environment): Generator<string> {
  const has = (name: string): boolean => env[name] !== undefined && env[name] !== '';
  const either = (name: string): boolean => has(name) || has(`${name}_PATH`);
  for (const name of ['SPIFFE_X509_SVID', 'SPIFFE_X509_KEY', 'SPIFFE_JWT_TOKEN']) {
    if (has(name) && has(`${name}_PATH`)) yield `${name}: is set and so is ${name}_PATH; set one of them`;
  }
  if (either('SPIFFE_X509_SVID') !== either('SPIFFE_X509_KEY')) {
    yield 'SPIFFE_X509_SVID_PATH: the X509-SVID and its key go together; set both or none';
  }
  if (env.SPIFFE_FALLBACK_ALLOWED !== 'true') return;
  const environment = has('SPIFFE_ENVIRONMENT') ? env.SPIFFE_ENVIRONMENT : env.ENVIRONMENT;
  if (!admitsFallback(environment)) {
    yield 'SPIFFE_FALLBACK_ALLOWED: is refused unless ENVIRONMENT is development, dev, local or test';
  }
  if (!either('SPIFFE_X509_SVID') && !either('SPIFFE_JWT_TOKEN')) {
    yield 'SPIFFE_FALLBACK_ALLOWED: needs an SVID; set SPIFFE_X509_SVID_PATH or SPIFFE_JWT_TOKEN_PATH';
  }
}

function resolve(read: Read): SpiffeConfig {
  const environment = read.SPIFFE_ENVIRONMENT ?? read.ENVIRONMENT;
  return {
    endpoint: read.SPIFFE_ENDPOINT_SOCKET ?? read.SPIFFE_SOCKET_PATH,
    trustDomain: read.SPIFFE_TRUST_DOMAIN === undefined ? undefined : TrustDomain.parse(read.SPIFFE_TRUST_DOMAIN),
    jwtAudience: read.SPIFFE_JWT_AUDIENCE,
    issuer: read.SPIFFE_ISSUER,
    leewaySeconds: read.SPIFFE_JWT_LEEWAY_SECONDS,
    initialSyncTimeoutMs: read.SPIFFE_INITIAL_SYNC_TIMEOUT_SECONDS * 1000,
    deniedGraceMs: read.SPIFFE_DENIED_GRACE_SECONDS * 1000,
    environment,
    fallback: read.SPIFFE_FALLBACK_ALLOWED ? fallbackOf(read, environment) : undefined,
  };
}

function fallbackOf(read: Read, environment: string): FileSourceOptions {
  const certificates = textOf(read.SPIFFE_X509_SVID_PATH, read.SPIFFE_X509_SVID);
  const privateKey = textOf(read.SPIFFE_X509_KEY_PATH, read.SPIFFE_X509_KEY);
  return {
    environment,
    id: read.SPIFFE_ID,
    x509: certificates && privateKey && { certificates, privateKey },
    jwt: textOf(read.SPIFFE_JWT_TOKEN_PATH, read.SPIFFE_JWT_TOKEN),
    x509Bundle: textOf(read.SPIFFE_X509_BUNDLE_PATH, undefined),
    jwtBundle: textOf(read.SPIFFE_JWT_BUNDLE_PATH, undefined),
    bundleMap: textOf(read.SPIFFE_BUNDLE_MAP_PATH, undefined),
  };
}

function textOf(file: string | undefined, text: Secret<string> | undefined): FallbackText | undefined {
  if (file !== undefined) return { file };
  return text === undefined ? undefined : { text };
}
