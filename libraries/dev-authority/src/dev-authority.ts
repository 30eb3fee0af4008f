import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Random, sleep, systemClock } from '@neural-hive/security/common';
import { Dispatcher } from './api/dispatcher.ts';
import { HttpsListener } from './api/https-listener.ts';
import type { Backend } from './api/route.ts';
import { AuditLog } from './audit/audit-log.ts';
import { jwtBackend } from './auth/jwt/jwt-backend.ts';
import { kubernetesBackend } from './auth/kubernetes/kubernetes-backend.ts';
import { tokenBackend } from './auth/token/token-backend.ts';
import { TokenStore } from './auth/token/token-store.ts';
import { AuthorityError } from './authority-error.ts';
import { type DevAuthorityConfig, devAuthorityConfig, type ResolvedConfig } from './config.ts';
import { CONTROL_MOUNT, controlBackend } from './control/control-api.ts';
import { ControlSocket } from './control/control-socket.ts';
import { databaseBackend } from './engines/database/database-backend.ts';
import { kvBackend } from './engines/kv/kv-backend.ts';
import { pkiBackend } from './engines/pki/pki-backend.ts';
import { type LeaseEngine, LeaseStore } from './lease/lease-store.ts';
import { assertAllowedToStart } from './listen-guard.ts';
import { authorityMetrics } from './metrics.ts';
import { type BackendFactory, MountTable, NO_SETTINGS } from './mount-table.ts';
import type { Parts } from './parts.ts';
import { PolicyStore } from './policy/policy-store.ts';
import { newUuid } from './random-text.ts';
import { ServiceAccountIssuer } from './service-accounts/service-account-issuer.ts';
import { TOKEN_REVIEW_MOUNT, tokenReviewBackend } from './service-accounts/token-review.ts';
import { BUNDLE_MOUNT, bundleEndpointBackend } from './spiffe/bundle-endpoint.ts';
import {
  OIDC_DISCOVERY_MOUNT,
  OIDC_KEYS_MOUNT,
  oidcDiscoveryBackend,
  oidcKeysBackend,
} from './spiffe/oidc-discovery.ts';
import { SpiffeAuthority } from './spiffe/spiffe-authority.ts';
import { Journal } from './state/journal.ts';
import { preparePrivateFolder, SealedFile } from './state/sealed-file.ts';
import { StateLock } from './state/state-lock.ts';
import { systemBackend } from './sys/system-backend.ts';
import { TlsIdentity } from './tls-identity.ts';

export interface DevAuthorityOptions extends DevAuthorityConfig {
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default `process.env`: NODE_ENV and DEV_AUTHORITY_ALLOW_REMOTE are read. */
  readonly env?: NodeJS.ProcessEnv;
}

const CLOSE_LIMIT_MS = 500;

interface SavedCluster {
  readonly id: string;
  readonly auditKey: string;
  readonly rootToken: string;
}

type SavedState = Readonly<Record<string, unknown>> & { readonly cluster?: SavedCluster };

/** An embedded Vault and SPIRE for laptops and tests. */
export class DevAuthority implements AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly address: string;
  readonly caPem: string;
  readonly caFile: string;
  readonly auditFile: string;
  readonly rootTokenFile: string;
  /** For its opener only. */
  readonly rootToken: string;
  readonly #rotate: (spiffeId?: string) => number;
  readonly #stop: () => Promise<void>;
  #closing: Promise<void> | undefined;

  private constructor(opened: Omit<Opened, 'rotate' | 'stop'>, rotate: Opened['rotate'], stop: Opened['stop']) {
    this.address = opened.address;
    this.caPem = opened.caPem;
    this.caFile = opened.caFile;
    this.auditFile = opened.auditFile;
    this.rootTokenFile = opened.rootTokenFile;
    this.rootToken = opened.rootToken;
    this.#rotate = rotate;
    this.#stop = stop;
  }

  /** Resolves when it listens. Throws `AuthorityError` when it must not or cannot run. */
  static async open(options: DevAuthorityOptions): Promise<DevAuthority> {
    const { clock = systemClock, random = Math.random, env = process.env, ...given } = options;
    const parsed = devAuthorityConfig.safeParse(given);
    if (!parsed.success) {
      const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
      throw new AuthorityError('config_invalid', problems.join('; '));
    }
    assertAllowedToStart(parsed.data.host, parsed.data.allowRemote, env);
    const { rotate, stop, ...opened } = await start(parsed.data, clock, random);
    return new DevAuthority(opened, rotate, stop);
  }

  /** New X509-SVIDs now, for one identity or all. Returns how many. */
  async rotateX509(spiffeId?: string): Promise<number> {
    return this.#rotate(spiffeId);
  }

  /** Answers what it has begun, writes the state down and stops. Leases stay as they are. */
  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface Opened {
  readonly address: string;
  readonly caPem: string;
  readonly caFile: string;
  readonly auditFile: string;
  readonly rootTokenFile: string;
  readonly rootToken: string;
  readonly rotate: (spiffeId?: string) => number;
  readonly stop: () => Promise<void>;
}

async function start(config: ResolvedConfig, clock: Clock, random: Random): Promise<Opened> {
  const { stateFolder } = config;
  const files = {
    caFile: config.caFile ?? join(stateFolder, 'ca.pem'),
    auditFile: config.auditFile ?? join(stateFolder, 'audit.log'),
    rootTokenFile: config.rootTokenFile ?? join(stateFolder, 'root-token'),
  };
  const closers: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    await preparePrivateFolder(stateFolder);
    const lock = await StateLock.take(join(stateFolder, 'state.lock'));
    closers.push(() => lock.release());
    const sealed = await SealedFile.open(join(stateFolder, 'state.sealed'), join(stateFolder, 'state.key'));
    const content = await sealed.read();
    const state = (content === undefined ? {} : JSON.parse(content.toString('utf8'))) as SavedState;
    const journal = new Journal(sealed);
    const commit = (): Promise<void> => journal.commit();

    const cluster = {
      id: state.cluster?.id ?? newUuid(),
      auditKey: state.cluster?.auditKey ?? randomBytes(32).toString('hex'),
    };
    const audit = new AuditLog(files.auditFile, Buffer.from(cluster.auditKey, 'hex'), clock);
    closers.push(() => audit.close());
    const metrics = authorityMetrics();
    const spiffe = SpiffeAuthority.create({ settings: config, clock, commit }, state.spiffe);
    const tls = TlsIdentity.create(config.trustDomain, config.host, clock, state.tls);
    const serviceAccounts = new ServiceAccountIssuer(clock, state.serviceAccounts);
    const policies = new PolicyStore(clock, state.policies);
    const mounts: MountTable = new MountTable((...of) => backendFor(parts, ...of));
    const engineOf = (path: string): LeaseEngine | undefined => asLeaseEngine(mounts.get(path)?.backend);
    const leases = new LeaseStore({ clock, random, events: audit, engineOf, commit }, state.leases);
    const tokens = new TokenStore({ clock, events: audit, leases, commit }, state.tokens);
    const spiffeKeys = (): Uint8Array => spiffe.jwks();
    const parts: Parts = {
      clock,
      random,
      clusterId: cluster.id,
      trustDomain: config.trustDomain,
      journal,
      audit,
      policies,
      tokens,
      leases,
      mounts,
      metrics: metrics.registry,
      serviceAccounts,
      spiffeKeys,
    };
    metrics.watch(leases, tokens);
    const rotate = (spiffeId?: string): number => spiffe.rotateX509(spiffeId);
    mounts.addBuiltIn('sys/', 'system', 'system endpoints', systemBackend(parts));
    mounts.addBuiltIn('auth/token/', 'token', 'token based credentials', tokenBackend(parts));
    mounts.addBuiltIn(
      CONTROL_MOUNT,
      'dev',
      'what only this authority has',
      controlBackend({
        serviceAccounts,
        spiffeKeys,
        spiffeBundlePem: () => spiffe.bundlePem,
        rotateX509: rotate,
        authorities: spiffe.commands,
      }),
    );
    mounts.addBuiltIn(
      TOKEN_REVIEW_MOUNT,
      'kubernetes-api',
      'reviews service-account tokens',
      tokenReviewBackend(serviceAccounts),
    );
    let listening: HttpsListener | undefined;
    const discovery = oidcDiscoveryBackend({ issuer: config.issuer, address: () => listening?.address ?? '' });
    mounts.addBuiltIn(OIDC_DISCOVERY_MOUNT, 'oidc', 'OpenID Connect discovery', discovery);
    mounts.addBuiltIn(OIDC_KEYS_MOUNT, 'oidc', 'keys of JWT-SVIDs', oidcKeysBackend(spiffeKeys));
    const bundleEndpoint = bundleEndpointBackend(() => spiffe.spiffeBundle());
    mounts.addBuiltIn(BUNDLE_MOUNT, 'spiffe', 'bundle for other trust domains', bundleEndpoint);
    mounts.restore(state.mounts);
    if (state.mounts === undefined) {
      // As development servers do.
      mounts.mount('secret/', 'kv', {
        ...NO_SETTINGS,
        description: 'key/value secret storage',
        options: { version: '2' },
      });
    }

    // Revoked by mistake, it would lock the opener out: the key file is its proof, and the next start makes another.
    const rootToken =
      tokens.find(state.cluster?.rootToken ?? '')?.id ??
      tokens.create({ parent: null, policies: ['root'], path: 'auth/token/root', displayName: 'root', meta: null }).id;
    const saved: SavedCluster = { ...cluster, rootToken };
    const plain = (name: string, value: unknown): void => journal.add(name, { save: () => value });
    plain('cluster', saved);
    for (const [name, section] of Object.entries({ policies, leases, tokens, mounts, serviceAccounts, spiffe, tls }))
      journal.add(name, section);
    await journal.commit();

    closers.push(async () => {
      tokens.close();
      // A database that does not answer must not hold up the end; what is not undone by then is at the next start.
      await Promise.race([leases.close().then(() => mounts.close()), sleep(CLOSE_LIMIT_MS)]);
      await journal.commit();
    });
    const dispatcher = new Dispatcher({ mounts, tokens, policies, audit, journal, observe: metrics.observe });
    const listener = await HttpsListener.listen({
      host: config.host,
      port: config.port,
      ...tls.serverCertificate(),
      dispatcher,
    });
    listening = listener;
    closers.push(() => listener.close());
    await spiffe.listen();
    closers.push(() => spiffe.close());
    if (config.controlSocket !== undefined) {
      const control = await ControlSocket.listen(config.controlSocket, dispatcher, rootToken);
      closers.push(() => control.close());
    }
    await writeFile(files.caFile, tls.caPem, { mode: 0o644 });
    await rm(files.rootTokenFile, { force: true });
    await writeFile(files.rootTokenFile, rootToken, { mode: 0o600, flag: 'wx' });
    leases.start();
    tokens.start();
    return { address: listener.address, caPem: tls.caPem, ...files, rootToken, rotate, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function backendFor(parts: Parts, ...[type, mount, saved]: Parameters<BackendFactory>): Backend | undefined {
  switch (type) {
    case 'kv':
      return kvBackend(parts, saved);
    case 'database':
      return databaseBackend(parts, mount, saved);
    case 'pki':
      return pkiBackend(parts, mount, saved);
    case 'jwt':
      return jwtBackend(parts, saved);
    case 'kubernetes':
      return kubernetesBackend(parts, saved);
    default:
      return undefined;
  }
}

function asLeaseEngine(backend: Backend | undefined): LeaseEngine | undefined {
  if (backend?.revokeLease === undefined || backend.renewLease === undefined) return undefined;
  return { revokeLease: backend.revokeLease, renewLease: backend.renewLease };
}
