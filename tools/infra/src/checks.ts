import type { Check } from './check.ts';
import { iamCheck } from './terraform/iam-check.ts';
import { terraformCheck } from './terraform/terraform-check.ts';

/** In the order in which they run. One line a check, so that branches merge. */
export const CHECKS: readonly Check[] = [terraformCheck, iamCheck];
