import type { CredentialMetrics } from '../../credentials/index.ts';
import { type Instruments, WORK_SECONDS } from './instruments.ts';
import { soonest, Watched } from './watched.ts';

/** Rotations, and how long what is in use lives. */
export function credentialMetrics(instruments: Instruments): CredentialMetrics {
  const open = new Watched<{ readonly credential: string; readonly ttlSeconds: () => number | undefined }>();
  const rotations = instruments.counter(
    'credential_rotations_total',
    'Rotations, by what caused them and their result',
    ['credential', 'reason', 'status'],
  );
  const durations = instruments.histogram(
    'credential_rotation_duration_seconds',
    'Time of a rotation that succeeded, from its start until the old generation is revoked',
    ['credential'],
    WORK_SECONDS,
  );
  const drains = instruments.histogram(
    'credential_drain_duration_seconds',
    'Time until nothing used the old generation any more',
    ['credential'],
    WORK_SECONDS,
  );
  const overruns = instruments.counter(
    'credential_drain_overruns_total',
    'Rotations that had to end sessions of the old generation at the deadline',
    ['credential'],
  );
  instruments.gauge('credential_ttl_seconds', 'Until the generation in use ends', ['credential'], () =>
    [...soonest([...open].map(({ credential, ttlSeconds }) => [credential, ttlSeconds()] as const))].map(
      ([credential, value]) => ({ labels: { credential }, value }),
    ),
  );
  return {
    rotation({ name: credential, reason, ok, terminated }, { durationMs, drainMs }) {
      rotations({ credential, reason, status: ok ? 'success' : 'failure' });
      if (!ok) return;
      durations({ credential }, durationMs / 1_000);
      drains({ credential }, drainMs / 1_000);
      if (terminated > 0) overruns({ credential });
    },
    watchCredential: (credential, ttlSeconds) => open.add({ credential, ttlSeconds }),
  };
}
