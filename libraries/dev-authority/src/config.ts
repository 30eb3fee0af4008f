import { isAbsolute } from 'node:path';
import { z } from 'zod';

const absolutePath = z.string().refine(isAbsolute, { message: 'must be an absolute path' });
const ttlSeconds = z.number().int().min(2).max(86_400);

const workload = z.strictObject({
  /** Unix socket of this workload's SPIFFE Workload API; at most 103 bytes. */
  socketPath: absolutePath,
  /** The identity that every process that can open the socket receives. */
  spiffeId: z.string().startsWith('spiffe://'),
  /** Permission bits of the socket. Default 0o600. */
  mode: z.number().int().min(0).max(0o777).optional(),
  /** Owner and group of the socket; only root can give a socket away. Default: those of the process. */
  uid: z.number().int().min(0).optional(),
  gid: z.number().int().min(0).optional(),
});

/** What `dev-authority <file>` reads and `DevAuthority.open` takes. Everything but `stateFolder` has a default. */
export const devAuthorityConfig = z.strictObject({
  /** Private folder (0700) of the sealed state, its key, the CA certificate, the root token and the audit log. */
  stateFolder: absolutePath,
  /** Address to listen on. Default 127.0.0.1. Anything but loopback needs `allowRemote` and the environment. */
  host: z.string().default('127.0.0.1'),
  /** TCP port, 0 to 65535. Default 0, any free port. */
  port: z.number().int().min(0).max(65_535).default(0),
  /** Listen beyond loopback; DEV_AUTHORITY_ALLOW_REMOTE=1 must say so too. Default false. */
  allowRemote: z.boolean().default(false),
  /** Default `<stateFolder>/ca.pem`: the certificate that clients trust. */
  caFile: absolutePath.optional(),
  /** Default `<stateFolder>/root-token`, mode 0600. */
  rootTokenFile: absolutePath.optional(),
  /** Default `<stateFolder>/audit.log`, mode 0600. */
  auditFile: absolutePath.optional(),
  /** Unix socket, 0600, of the control API. Default none: then only HTTPS with the root token reaches it. */
  controlSocket: absolutePath.optional(),
  /** Default `neural-hive.local`. */
  trustDomain: z.string().default('neural-hive.local'),
  /** `iss` of the JWT-SVIDs. Default `https://spire-oidc.neural-hive.local`. */
  issuer: z.string().default('https://spire-oidc.neural-hive.local'),
  /** Lifetime of an X509-SVID in seconds, 2 to 86400. Default 90. */
  x509TtlSeconds: ttlSeconds.default(90),
  /** Lifetime of a JWT-SVID in seconds, 2 to 86400. Default 60. */
  jwtTtlSeconds: ttlSeconds.default(60),
  /**
   * Lifetime of an X.509 or JWT authority in seconds, 60 to 315360000, at least six times that of an SVID. Default 604800,
   * a week. The next one is prepared at half of it and signs when a sixth is left.
   */
  authorityTtlSeconds: z.number().int().min(60).max(315_360_000).default(604_800),
  workloads: z.array(workload).default([]),
});

/** The configuration as its author writes it. */
export type DevAuthorityConfig = z.input<typeof devAuthorityConfig>;

/** The configuration with its defaults. */
export type ResolvedConfig = z.output<typeof devAuthorityConfig>;

export type WorkloadConfig = ResolvedConfig['workloads'][number];
