import type { FailOpenMetrics } from '../../vault/index.ts';
import type { Instruments } from './instruments.ts';

/** How often a service went on without Vault. */
export function failOpenMetrics(instruments: Instruments): FailOpenMetrics {
  const failures = instruments.counter(
    'vault_fail_open_total',
    'Attempts to open the Vault client that failed while the service went on without it',
    [],
  );
  return { failedOpen: () => failures({}) };
}
