import { apiServerCheck } from './api-server/api-server-check.ts';
import type { Check } from './check.ts';
import { schemaCheck } from './schemas/schema-check.ts';
import { agreementCheck } from './services/agreement/agreement-check.ts';
import { serviceChartsCheck } from './services/chart-check.ts';
import { serviceNetworkCheck } from './services/network-check.ts';
import { spireChartCheck } from './spire/chart-check.ts';
import { spireNetworkCheck } from './spire/network-check.ts';
import { spireAttestationCheck } from './spire/real/attestation-check.ts';
import { spireServersCheck } from './spire/real/servers-check.ts';
import { iamCheck } from './terraform/iam-check.ts';
import { terraformCheck } from './terraform/terraform-check.ts';
import { vaultChartCheck } from './vault/chart-check.ts';
import { vaultClusterCheck } from './vault/cluster/cluster-check.ts';
import { vaultNetworkCheck } from './vault/network-check.ts';

/** In the order in which they run. */
export const CHECKS: readonly Check[] = [
  schemaCheck,
  vaultChartCheck,
  vaultNetworkCheck,
  vaultClusterCheck,
  spireChartCheck,
  spireNetworkCheck,
  spireServersCheck,
  spireAttestationCheck,
  serviceChartsCheck,
  serviceNetworkCheck,
  agreementCheck,
  apiServerCheck,
  terraformCheck,
  iamCheck,
];
