import { Fields } from '../api/fields.ts';
import type { Call, Route } from '../api/route.ts';
import { CONTROL_MOUNT } from '../control/control-api.ts';
import { denied, invalid } from '../fault.ts';
import type { Mount, MountSettings } from '../mount-table.ts';
import type { Parts } from '../parts.ts';
import { describeMount, describeTuning } from './mount-answers.ts';

const ENGINE_TYPES = ['kv', 'kv-v2', 'database', 'pki'];
const AUTH_TYPES = ['jwt', 'kubernetes'];

/** `sys/mounts` and `sys/auth`: the same thing at two places. */
export function mountRoutes(parts: Parts): Route[] {
  return [
    // The command line tunes an auth method as the mount that it is.
    ...routesFor(parts, { base: 'mounts/auth', prefix: 'auth/', types: AUTH_TYPES, sudo: true }).filter(({ path }) =>
      path.endsWith('/tune'),
    ),
    ...routesFor(parts, { base: 'mounts', prefix: '', types: ENGINE_TYPES, sudo: false }),
    ...routesFor(parts, { base: 'auth', prefix: 'auth/', types: AUTH_TYPES, sudo: true }),
    // What the command line asks before it reads or writes a secret: where the mount begins, and which version it has.
    {
      path: 'internal/ui/mounts/*path',
      guarded: 'by handler',
      read: (call) => {
        const mount = parts.mounts.find(call.params.path ?? '');
        if (mount === undefined || !call.acl.touches(mount.path)) throw denied();
        return { data: { ...describeMount(mount), path: mount.path } };
      },
    },
  ];
}

interface Area {
  readonly base: string;
  readonly prefix: string;
  readonly types: readonly string[];
  readonly sudo: boolean;
}

function routesFor(parts: Parts, { base, prefix, types, sudo }: Area): Route[] {
  const { mounts, leases, tokens } = parts;
  const listed = (): Mount[] =>
    mounts.all().filter((mount) => isListed(mount) && mount.path.startsWith('auth/') === (prefix === 'auth/'));
  const pathOf = (call: Call): string => `${prefix}${(call.params.path ?? '').replace(/^\/+|\/+$/g, '')}/`;
  const present = (call: Call): Mount => {
    const mount = mounts.get(pathOf(call));
    if (mount === undefined) throw invalid(`cannot fetch sysview for path "${pathOf(call)}"`);
    return mount;
  };
  const enable = (call: Call): void => {
    const path = pathOf(call);
    if (!/^(?:[\w.-]+\/)+$/.test(path)) throw invalid('the path of a mount has letters, digits, ".", "_", "-" and "/"');
    const type = call.fields.text('type') ?? '';
    if (type === '') throw invalid('backend type must be specified as a string');
    if (!types.includes(type)) throw invalid(`plugin not found in the catalog: ${type}`);
    const options = type === 'kv-v2' ? { version: '2' } : (call.fields.textRecord('options') ?? null);
    if (type === 'kv' && options?.version !== '2')
      throw invalid('only version 2 of kv is supported: set options.version to "2"');
    mounts.mount(path, type === 'kv-v2' ? 'kv' : type, { ...settingsOf(call.fields, undefined), options });
  };

  return [
    {
      path: base,
      read: () => ({
        data: Object.fromEntries(listed().map((mount) => [mount.path.slice(prefix.length), describeMount(mount)])),
        flat: true,
      }),
    },
    {
      path: `${base}/:path/tune`,
      sudo,
      read: (call) => ({ data: describeTuning(present(call)), flat: true }),
      write: (call) => {
        const mount = present(call);
        mount.settings = {
          ...settingsOf(call.fields, mount.settings),
          options: call.fields.textRecord('options') ?? mount.settings.options,
        };
        return {};
      },
    },
    {
      path: `${base}/*path`,
      sudo,
      read: (call) => ({ data: describeMount(present(call)), flat: true }),
      write: (call) => {
        enable(call);
        return {};
      },
      delete: async (call) => {
        const path = pathOf(call);
        if (mounts.get(path) === undefined) return {};
        // What the engine made goes first: without the engine nobody could undo it.
        const failed = (await leases.revokeAll(leases.withPrefix(path))).filter(
          (result) => result.status === 'rejected',
        );
        if (failed.length > 0) throw invalid(`${failed.length} leases below ${path} could not be revoked`);
        for (const token of [...tokens.all()]) if (token.path.startsWith(path)) await tokens.revoke(token);
        await mounts.unmount(path)?.backend.close?.();
        return {};
      },
    },
  ];
}

/** What is not Vault's is no mount of it. */
function isListed({ path }: Mount): boolean {
  return !path.startsWith('/') && path !== CONTROL_MOUNT;
}

/** Vault takes TTLs inside `config` when mounting and at the top when tuning. */
function settingsOf(fields: Fields, present: MountSettings | undefined): MountSettings {
  const config = new Fields(fields.record('config') ?? fields.raw);
  return {
    description: fields.text('description') ?? present?.description ?? '',
    options: present?.options ?? null,
    defaultTtlSeconds: config.seconds('default_lease_ttl') ?? present?.defaultTtlSeconds ?? 0,
    maxTtlSeconds: config.seconds('max_lease_ttl') ?? present?.maxTtlSeconds ?? 0,
  };
}
