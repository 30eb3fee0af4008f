import type { Check } from './check.ts';
import { schemaCheck } from './schemas/schema-check.ts';
import { spireChartCheck } from './spire/chart-check.ts';
import { spireNetworkCheck } from './spire/network-check.ts';
import { spireAttestationCheck } from './spire/real/attestation-check.ts';
import { spireServersCheck } from './spire/real/servers-check.ts';
import { terraformCheck } from './terraform/terraform-check.ts';
import { vaultChartCheck } from './vault/chart-check.ts';
import { vaultNetworkCheck } from './vault/network-check.ts';

/** In the order in which they run. One line a check, so that branches merge. */
export const CHECKS: readonly Check[] = [
  schemaCheck, //
  vaultChartCheck,
  vaultNetworkCheck,
  spireChartCheck,
  spireNetworkCheck,
  spireServersCheck,
  spireAttestationCheck,
  terraformCheck,
];
