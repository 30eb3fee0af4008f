import type { Check } from './check.ts';
import { spireChartCheck } from './spire/chart-check.ts';
import { spireAttestationCheck } from './spire/real/attestation-check.ts';
import { spireServersCheck } from './spire/real/servers-check.ts';
import { terraformCheck } from './terraform/terraform-check.ts';

/** In the order in which they run. */
export const CHECKS: readonly Check[] = [spireChartCheck, spireServersCheck, spireAttestationCheck, terraformCheck];
