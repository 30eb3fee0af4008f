import { formatDuration } from '../duration.ts';

/** What Vault falls back to when neither role nor mount says anything: 32 days. */
export const SYSTEM_TTL_SECONDS = 768 * 3600;

export interface MountTtls {
  readonly defaultTtlSeconds: number;
  readonly maxTtlSeconds: number;
}

export interface GrantedTtl {
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly warnings: readonly string[];
}

/** A new lease: the smallest maximum wins and caps what is asked for. 0 means not said. */
export function grantTtl(ask: { ttlSeconds: number; maxTtlSeconds: number }, mount: MountTtls): GrantedTtl {
  const mountMax = mount.maxTtlSeconds || SYSTEM_TTL_SECONDS;
  const maxTtlSeconds = ask.maxTtlSeconds > 0 ? Math.min(ask.maxTtlSeconds, mountMax) : mountMax;
  const wanted = ask.ttlSeconds || Math.min(mount.defaultTtlSeconds || SYSTEM_TTL_SECONDS, maxTtlSeconds);
  return { ttlSeconds: Math.min(wanted, maxTtlSeconds), maxTtlSeconds, warnings: capWarnings(wanted, maxTtlSeconds) };
}

/** A renewal counts from now and never goes past issue time plus maximum. */
export function renewedTtl(ask: {
  ttlSeconds: number;
  endsAtMs: number;
  nowMs: number;
}): Omit<GrantedTtl, 'maxTtlSeconds'> {
  const remaining = Math.max(0, Math.floor((ask.endsAtMs - ask.nowMs) / 1000));
  return { ttlSeconds: Math.min(ask.ttlSeconds, remaining), warnings: capWarnings(ask.ttlSeconds, remaining) };
}

function capWarnings(wanted: number, maximum: number): string[] {
  if (wanted <= maximum) return [];
  return [
    `TTL of "${formatDuration(wanted)}" exceeded the effective max_ttl of "${formatDuration(maximum)}"; TTL value is capped accordingly`,
  ];
}
