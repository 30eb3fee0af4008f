import type { Result } from '../result.ts';
import { postgresRotationResults, type RotationSummary } from './postgres.ts';

const ROTATIONS = 100;

export async function* rotationResults(): AsyncGenerator<Result | RotationSummary> {
  yield* postgresRotationResults(ROTATIONS);
}
