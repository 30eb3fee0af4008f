import type { VaultCall } from '../dispatch.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { type RenewedLease, renewLease, revokeLease } from '../lease/lease-calls.ts';
import type { EngineContext } from './context.ts';

/** What a node is, by the status of the health path. */
export type ServerState =
  | 'active'
  /** A standby that forwards. */
  | 'standby'
  | 'performance-standby'
  | 'disaster-recovery-secondary'
  /** A standby that cannot reach the active node. */
  | 'standby-without-active'
  | 'uninitialized'
  | 'sealed'
  /** It left the cluster. */
  | 'removed';

export interface ServerHealth {
  readonly state: ServerState;
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly standby: boolean;
  readonly version: string;
}

export interface SealStatus {
  /** `shamir`, or the kind of the automatic seal. */
  readonly type: string;
  readonly initialized: boolean;
  readonly sealed: boolean;
  /** How many key shares unseal it, of how many, and how many of them it has. */
  readonly threshold: number;
  readonly shares: number;
  readonly progress: number;
  readonly version: string;
}

export interface MountSettings {
  readonly type: string;
  readonly description?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly options?: Readonly<Record<string, string>>;
}

type Mounts = Readonly<Record<string, { readonly type: string }>>;

/** Mounts of one kind: secret engines or auth methods. Paths are without a trailing slash. */
export interface MountTable {
  list(): Promise<Mounts>;
  enable(path: string, settings: MountSettings): Promise<void>;
  tune(path: string, config: Readonly<Record<string, unknown>>): Promise<void>;
  disable(path: string): Promise<void>;
}

/** The server's own paths. */
export interface SysEngine {
  /** Works without a token and on a sealed or standby node. */
  health(options?: { signal?: AbortSignal | undefined }): Promise<ServerHealth>;
  /** Works without a token and on a sealed or standby node. */
  sealStatus(options?: { signal?: AbortSignal | undefined }): Promise<SealStatus>;
  readonly leases: {
    lookup(leaseId: string): Promise<{ ttlSeconds: number; renewable: boolean; expiresAtMs: number }>;
    renew(leaseId: string, options?: { incrementSeconds?: number; signal?: AbortSignal }): Promise<RenewedLease>;
    /** Resolves also when the lease is gone already. */
    revoke(leaseId: string, options?: { signal?: AbortSignal }): Promise<void>;
    revokePrefix(prefix: string): Promise<void>;
  };
  readonly policies: {
    list(): Promise<string[]>;
    read(name: string): Promise<string>;
    write(name: string, text: string): Promise<void>;
    delete(name: string): Promise<void>;
  };
  readonly mounts: MountTable;
  readonly auth: MountTable;
}

type SendAnyStatus = (call: VaultCall, accept: (status: number) => boolean) => Promise<VaultEnvelope>;

const HEALTH_STATES = new Map<number, ServerState>([
  [200, 'active'],
  [429, 'standby'],
  [472, 'disaster-recovery-secondary'],
  [473, 'performance-standby'],
  [474, 'standby-without-active'],
  [501, 'uninitialized'],
  [503, 'sealed'],
  [530, 'removed'],
]);

function mountTable({ call }: EngineContext, root: 'sys/mounts' | 'sys/auth', operation: string): MountTable {
  return {
    async list() {
      const { data } = await call({ method: 'GET', path: root, operation: `${operation}.list` });
      const mounts = Object.entries(data).flatMap(([path, value]) => {
        const type = (value as { type?: unknown } | null)?.type;
        return path.endsWith('/') && typeof type === 'string' ? [[path.slice(0, -1), { type }] as const] : [];
      });
      return Object.fromEntries(mounts);
    },
    async enable(path, settings) {
      await call({ method: 'POST', path: `${root}/${path}`, body: { ...settings }, operation: `${operation}.enable` });
    },
    async tune(path, config) {
      const body = { ...config };
      await call({ method: 'POST', path: `${root}/${path}/tune`, body, operation: `${operation}.tune`, safe: true });
    },
    async disable(path) {
      await call({ method: 'DELETE', path: `${root}/${path}`, operation: `${operation}.disable`, safe: true });
    },
  };
}

export function sysEngine(context: EngineContext, sendAnyStatus: SendAnyStatus): SysEngine {
  const { call } = context;
  const policyPath = (name: string): string => `sys/policies/acl/${name}`;
  return {
    async health({ signal } = {}) {
      const request: VaultCall = { method: 'GET', path: 'sys/health', operation: 'sys.health', signal };
      const { data, status } = await sendAnyStatus(request, (candidate) => HEALTH_STATES.has(candidate));
      return {
        state: HEALTH_STATES.get(status) ?? 'active',
        initialized: data.initialized === true,
        sealed: data.sealed === true,
        standby: data.standby === true,
        version: typeof data.version === 'string' ? data.version : '',
      };
    },
    async sealStatus({ signal } = {}) {
      const request: VaultCall = { method: 'GET', path: 'sys/seal-status', operation: 'sys.seal-status', signal };
      const { data } = await sendAnyStatus(request, () => false);
      const count = (value: unknown): number => (typeof value === 'number' ? value : 0);
      return {
        type: typeof data.type === 'string' ? data.type : '',
        initialized: data.initialized === true,
        sealed: data.sealed === true,
        threshold: count(data.t),
        shares: count(data.n),
        progress: count(data.progress),
        version: typeof data.version === 'string' ? data.version : '',
      };
    },
    leases: {
      async lookup(leaseId) {
        const body = { lease_id: leaseId };
        const { data } = await call({
          method: 'POST',
          path: 'sys/leases/lookup',
          body,
          operation: 'lease.lookup',
          safe: true,
        });
        const expires = typeof data.expire_time === 'string' ? Date.parse(data.expire_time) : Number.POSITIVE_INFINITY;
        return { ttlSeconds: Number(data.ttl ?? 0), renewable: data.renewable === true, expiresAtMs: expires };
      },
      renew: (leaseId, options) => renewLease(call, leaseId, options),
      revoke: (leaseId, options = {}) => revokeLease(call, leaseId, options.signal),
      async revokePrefix(prefix) {
        const path = `sys/leases/revoke-prefix/${prefix}`;
        await call({ method: 'POST', path, body: { sync: true }, operation: 'lease.revoke-prefix', safe: true });
      },
    },
    policies: {
      list: () => call.list({ method: 'LIST', path: 'sys/policies/acl', operation: 'policy.list' }),
      async read(name) {
        const { data } = await call({ method: 'GET', path: policyPath(name), operation: 'policy.read' });
        return typeof data.policy === 'string' ? data.policy : '';
      },
      async write(name, policy) {
        await call({ method: 'PUT', path: policyPath(name), body: { policy }, operation: 'policy.write', safe: true });
      },
      async delete(name) {
        await call({ method: 'DELETE', path: policyPath(name), operation: 'policy.delete', safe: true });
      },
    },
    mounts: mountTable(context, 'sys/mounts', 'mount'),
    auth: mountTable(context, 'sys/auth', 'auth'),
  };
}
