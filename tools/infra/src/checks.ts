import type { Check } from './check.ts';
import { SPIRE_CHART } from './spire/chart-check.ts';
import { iamCheck } from './terraform/iam-check.ts';
import { terraformCheck } from './terraform/terraform-check.ts';

/** In the order in which they run. */
export const CHECKS: readonly Check[] = [SPIRE_CHART, terraformCheck, iamCheck];
