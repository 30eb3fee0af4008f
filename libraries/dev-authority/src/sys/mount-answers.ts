import { SYSTEM_TTL_SECONDS } from '../lease/ttl.ts';
import type { Mount } from '../mount-table.ts';

export function describeMount(mount: Mount): Record<string, unknown> {
  const { settings } = mount;
  return {
    accessor: mount.accessor,
    config: {
      default_lease_ttl: settings.defaultTtlSeconds,
      force_no_cache: false,
      max_lease_ttl: settings.maxTtlSeconds,
      ...(mount.path.startsWith('auth/') ? { token_type: 'default-service' } : {}),
    },
    description: settings.description,
    external_entropy_access: false,
    local: false,
    options: settings.options,
    plugin_version: '',
    running_plugin_version: '',
    running_sha256: '',
    seal_wrap: false,
    type: mount.type,
    uuid: mount.uuid,
  };
}

export function describeTuning({ settings }: Mount): Record<string, unknown> {
  return {
    default_lease_ttl: settings.defaultTtlSeconds || SYSTEM_TTL_SECONDS,
    description: settings.description,
    force_no_cache: false,
    max_lease_ttl: settings.maxTtlSeconds || SYSTEM_TTL_SECONDS,
    ...(settings.options === null ? {} : { options: settings.options }),
  };
}
