import { z } from 'zod';

const seconds = z.int().positive();

const lifetimes = z.strictObject({
  /** Of a service's token: both the first and the longest lifetime. */
  tokenSeconds: seconds,
  tokenMaxSeconds: seconds,
  /** Of a service's database login. */
  loginSeconds: seconds,
  loginMaxSeconds: seconds,
  /** Of tokens and logins that do one job: migrations, rotation of the announcement users, setting up. */
  jobSeconds: seconds,
  certificateSeconds: seconds,
  certificateMaxSeconds: seconds,
  rootCertificateSeconds: seconds,
});

export type Lifetimes = z.infer<typeof lifetimes>;

const HOUR = 3_600;

/** On one machine everything is replaced every 90 s, so that a run of minutes shows due rotations. */
export const EMBEDDED_LIFETIMES: Lifetimes = {
  tokenSeconds: 90,
  tokenMaxSeconds: 90,
  loginSeconds: 90,
  loginMaxSeconds: 90,
  jobSeconds: 300,
  certificateSeconds: HOUR,
  certificateMaxSeconds: 24 * HOUR,
  rootCertificateSeconds: 365 * 24 * HOUR,
};

export const PRODUCTION_LIFETIMES: Lifetimes = {
  tokenSeconds: HOUR,
  tokenMaxSeconds: 24 * HOUR,
  loginSeconds: HOUR,
  loginMaxSeconds: 24 * HOUR,
  jobSeconds: 600,
  certificateSeconds: 7 * 24 * HOUR,
  certificateMaxSeconds: 30 * 24 * HOUR,
  rootCertificateSeconds: 10 * 365 * 24 * HOUR,
};

const connection = z.strictObject({
  /** With `{{username}}` and `{{password}}` in their places. */
  url: z.string().min(1),
  username: z.string().min(1),
  /** Written when it is given; leave it out when the server has it already. */
  password: z.string().min(1).optional(),
});

/** Reached over TLS only. */
const redis = z.strictObject({
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  /** The server's CA, PEM. Default: the system's. */
  ca: z.string().optional(),
  /** A user that may manage users. */
  username: z.string().min(1),
  /** Written when it is given; leave it out when the server has it already. */
  password: z.string().min(1).optional(),
});

const ONE_KEY_SOURCE = 'give exactly one of jwksUrl, publicKeys and provider';

const jwt = z
  .strictObject({
    jwksUrl: z.url({ protocol: /^https$/ }).optional(),
    jwksCa: z.string().optional(),
    publicKeys: z.array(z.string()).min(1).optional(),
    /** The development authority verifies with the keys of its own SPIFFE issuer. */
    provider: z.literal('spiffe').optional(),
  })
  .refine((keys) => [keys.jwksUrl, keys.publicKeys, keys.provider].filter((key) => key !== undefined).length === 1, {
    error: ONE_KEY_SOURCE,
  });

export const setupParameters = z.strictObject({
  lifetimes: lifetimes.default(PRODUCTION_LIFETIMES),
  /** Keys of the SPIFFE issuer. Without it the jwt method is not configured. */
  jwt: jwt.optional(),
  kubernetes: z
    .strictObject({
      host: z.url(),
      ca: z.string().optional(),
      /** Default: the caller's own token reviews itself. */
      reviewerToken: z.string().optional(),
    })
    .optional(),
  /** PEM of the SPIFFE trust bundle. Without it the cert method is not configured. */
  spiffeBundle: z.string().optional(),
  postgres: connection.optional(),
  mongodb: connection.optional(),
  redis: redis.optional(),
  /** The PostgreSQL of Temporal. The login may set the password of `temporal_server`, which exists. */
  temporal: connection.optional(),
});

/** What differs between two installations of the same setup. */
export type SetupParameters = z.infer<typeof setupParameters>;
