import type { Check } from './check.ts';
import { schemaCheck } from './schemas/schema-check.ts';
import { vaultChartCheck } from './vault/chart-check.ts';
import { vaultClusterCheck } from './vault/cluster/cluster-check.ts';
import { vaultNetworkCheck } from './vault/network-check.ts';

/** In the order in which they run. One line a check, so that branches merge. */
export const CHECKS: readonly Check[] = [
  schemaCheck, //
  vaultChartCheck,
  vaultNetworkCheck,
  vaultClusterCheck,
];
