import type { VaultCall } from '../dispatch.ts';
import type { VaultEnvelope } from '../envelope.ts';
import { type RenewedLease, renewLease, revokeLease } from '../lease/lease-calls.ts';
import type { EngineContext } from './context.ts';

export interface ServerHealth {
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly standby: boolean;
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

/** Every status by which the health path says what the node is; `530` is a node that left the cluster. */
const HEALTH_STATUS = new Set([200, 429, 472, 473, 474, 501, 503, 530]);

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
      const { data } = await sendAnyStatus(request, (status) => HEALTH_STATUS.has(status));
      return {
        initialized: data.initialized === true,
        sealed: data.sealed === true,
        standby: data.standby === true,
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
