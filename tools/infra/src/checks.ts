import type { Check } from './check.ts';
import { SPIRE_CHART } from './spire/chart-check.ts';

/** In the order in which they run. One line a check, so that branches merge. */
export const CHECKS: readonly Check[] = [SPIRE_CHART];
