import type { Result } from '../result.ts';
import { kvReadResults } from './kv-read.ts';

export async function* vaultResults(): AsyncGenerator<Result> {
  yield* kvReadResults();
}
