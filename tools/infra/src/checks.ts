import type { Check } from './check.ts';
import { agreementCheck } from './services/agreement/agreement-check.ts';
import { serviceChartsCheck } from './services/chart-check.ts';
import { serviceNetworkCheck } from './services/network-check.ts';
import { SPIRE_CHART } from './spire/chart-check.ts';
import { iamCheck } from './terraform/iam-check.ts';
import { terraformCheck } from './terraform/terraform-check.ts';
import { vaultChartCheck } from './vault/chart-check.ts';
import { vaultNetworkCheck } from './vault/network-check.ts';

/** In the order in which they run. One line a check, so that branches merge. */
export const CHECKS: readonly Check[] = [
  vaultChartCheck, //
  vaultNetworkCheck,
  SPIRE_CHART,
  serviceChartsCheck,
  serviceNetworkCheck,
  agreementCheck,
  terraformCheck,
  iamCheck,
];
