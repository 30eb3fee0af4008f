import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import pg from 'pg';
import { jwtAuth, tokenAuth, VaultClient, type VaultClientOptions } from '../vault/index.ts';
import { TokenReviewer } from './token-reviewer.ts';

/** A server to try the client on, and a PostgreSQL server it can reach. */
export interface VaultTarget {
  readonly name: string;
  readonly address: string;
  readonly caPem: string;
  /** A token that may configure everything. */
  readonly rootToken: string;
  /** A superuser's login over a Unix socket. */
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password: string;
  };
  close(): Promise<void>;
}

/** The names under which `ConfiguredVault` sets things up; apart from whatever else the server holds. */
const JWT_MOUNT = 'contract-jwt';
export const KUBERNETES_MOUNT = 'contract-kubernetes';
const AUDIENCE = 'vault.contract.test';
export const KV_MOUNT = 'contract-kv';
export const DATABASE_MOUNT = 'contract-db';
export const PKI_MOUNT = 'contract-pki';
export const PKI_ROLE = 'contract';
export const SUBJECT = 'spiffe://contract.test/service';

const POLICY = `
path "${KV_MOUNT}/data/app/*" { capabilities = ["create", "read", "update", "patch", "delete"] }
path "${KV_MOUNT}/delete/app/*" { capabilities = ["update"] }
path "${KV_MOUNT}/undelete/app/*" { capabilities = ["update"] }
path "${KV_MOUNT}/destroy/app/*" { capabilities = ["update"] }
path "${KV_MOUNT}/metadata/app/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "${KV_MOUNT}/metadata/" { capabilities = ["list"] }
path "${KV_MOUNT}/metadata/app" { capabilities = ["list"] }
path "${DATABASE_MOUNT}/creds/*" { capabilities = ["read"] }
path "${PKI_MOUNT}/issue/${PKI_ROLE}" { capabilities = ["update"] }
path "${PKI_MOUNT}/sign/${PKI_ROLE}" { capabilities = ["update"] }
path "${PKI_MOUNT}/cert/*" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
`;

/** A role dropped by default revocation keeps its sessions; these statements end them. */
const REVOCATION = [
  'ALTER ROLE "{{name}}" NOLOGIN',
  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = \'"{{name}}"\'::regrole AND pid <> pg_backend_pid()',
  'DROP ROLE "{{name}}"',
];

/** A target with engines, roles and a policy, as an operator would set them up. */
export class ConfiguredVault {
  readonly target: VaultTarget;
  readonly root: VaultClient;
  /** A superuser's view on PostgreSQL. */
  readonly observer: pg.Pool;
  readonly #key: KeyObject;

  private constructor(target: VaultTarget, root: VaultClient, observer: pg.Pool, key: KeyObject) {
    this.target = target;
    this.root = root;
    this.observer = observer;
    this.#key = key;
  }

  static async open(target: VaultTarget): Promise<ConfiguredVault> {
    const { address, caPem, rootToken, postgres } = target;
    const root = await VaultClient.open({ address, ca: caPem, auth: tokenAuth({ token: rootToken }) });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const observer = new pg.Pool({ ...postgres, max: 2 });
    observer.on('error', () => undefined);
    const vault = new ConfiguredVault(target, root, observer, privateKey);
    await root.sys.policies.write('contract', POLICY);
    await root.sys.auth.enable(JWT_MOUNT, { type: 'jwt' });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    await vault.write(`auth/${JWT_MOUNT}/config`, { jwt_validation_pubkeys: [pem] });
    await root.sys.mounts.enable(KV_MOUNT, { type: 'kv', options: { version: '2' } });
    await vault.#setUpDatabase();
    await vault.#setUpPki();
    return vault;
  }

  async close(): Promise<void> {
    await this.root.destroy();
    await this.observer.end();
    await this.target.close();
  }

  async write(path: string, body: Record<string, unknown>): Promise<void> {
    await this.root.request({ method: 'POST', path, body, operation: 'test.write' });
  }

  /** A login role of the jwt method whose tokens live for `ttlSeconds`, at most `maxTtlSeconds`. */
  async jwtRole(name: string, ttlSeconds: number, maxTtlSeconds: number, policies = ['contract']): Promise<void> {
    await this.write(`auth/${JWT_MOUNT}/role/${name}`, {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: [AUDIENCE],
      bound_subject: SUBJECT,
      token_policies: policies,
      token_ttl: ttlSeconds,
      token_max_ttl: maxTtlSeconds,
    });
  }

  /**
   * Sets up the kubernetes method with a cluster that knows one service account, `ns/app`, and only the bearer of
   * `goodToken`. The server asks the cluster for real; closing it is the caller's.
   */
  async kubernetesCluster(): Promise<TokenReviewer> {
    const cluster = await TokenReviewer.listen();
    await this.root.sys.auth.enable(KUBERNETES_MOUNT, { type: 'kubernetes' });
    await this.write(`auth/${KUBERNETES_MOUNT}/config`, {
      kubernetes_host: cluster.address,
      kubernetes_ca_cert: cluster.caPem,
      token_reviewer_jwt: cluster.goodToken,
      disable_local_ca_jwt: true,
    });
    await this.write(`auth/${KUBERNETES_MOUNT}/role/app`, {
      bound_service_account_names: ['app'],
      bound_service_account_namespaces: ['ns'],
      audience: 'vault',
      token_policies: ['contract'],
      token_ttl: 600,
    });
    return cluster;
  }

  /** A database role. Its logins can read and write `contract_rows`. */
  async databaseRole(name: string, ttlSeconds: number, maxTtlSeconds: number): Promise<void> {
    await this.write(`${DATABASE_MOUNT}/roles/${name}`, {
      db_name: 'contract',
      default_ttl: ttlSeconds,
      max_ttl: maxTtlSeconds,
      creation_statements: [
        `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE contract_rw INHERIT`,
      ],
      revocation_statements: REVOCATION,
    });
  }

  /** Logs in with a JWT; `audience` other than the default is refused. */
  login(role: string, options: Partial<VaultClientOptions> & { audience?: string } = {}): Promise<VaultClient> {
    const { audience = AUDIENCE, ...rest } = options;
    const { address, caPem } = this.target;
    const auth = jwtAuth({ role, mount: JWT_MOUNT, fetchToken: () => Promise.resolve(this.#signJwt(audience)) });
    return VaultClient.open({ address, ca: caPem, auth, ...rest });
  }

  /** Whether PostgreSQL has the role. */
  async hasRole(name: string): Promise<boolean> {
    const { rowCount } = await this.observer.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
    return rowCount === 1;
  }

  /** Sessions whose role has been dropped. */
  async orphanSessions(): Promise<number> {
    const { rows } = await this.observer.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity
       WHERE usesysid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_roles WHERE oid = usesysid)`,
    );
    return rows[0]?.count ?? -1;
  }

  async #setUpDatabase(): Promise<void> {
    const { host, port, database, user, password } = this.target.postgres;
    await this.observer.query(`
      CREATE ROLE contract_rw NOLOGIN;
      CREATE TABLE contract_rows (id bigint GENERATED ALWAYS AS IDENTITY, note text NOT NULL);
      GRANT SELECT, INSERT ON contract_rows TO contract_rw;`);
    await this.root.sys.mounts.enable(DATABASE_MOUNT, { type: 'database' });
    await this.write(`${DATABASE_MOUNT}/config/contract`, {
      plugin_name: 'postgresql-database-plugin',
      allowed_roles: ['*'],
      connection_url: `postgresql://{{username}}:{{password}}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
      username: user,
      password,
    });
  }

  async #setUpPki(): Promise<void> {
    await this.root.sys.mounts.enable(PKI_MOUNT, { type: 'pki', config: { max_lease_ttl: '87600h' } });
    await this.write(`${PKI_MOUNT}/root/generate/internal`, {
      common_name: 'contract root',
      ttl: '8760h',
      key_type: 'ec',
    });
    await this.write(`${PKI_MOUNT}/roles/${PKI_ROLE}`, {
      allowed_domains: ['contract.test'],
      allow_subdomains: true,
      allowed_uri_sans: ['spiffe://contract.test/*'],
      key_type: 'ec',
      key_bits: 256,
      max_ttl: '1h',
    });
  }

  #signJwt(audience: string): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const claims = { sub: SUBJECT, aud: [audience], iat: nowSeconds, exp: nowSeconds + 60 };
    const input = `${part({ alg: 'ES256', typ: 'JWT' })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}
