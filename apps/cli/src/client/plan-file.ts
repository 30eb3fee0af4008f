import { readFileSync, statSync } from 'node:fs';
import { MAX_PLAN_BYTES } from '@neural-hive/contracts';
import { EXIT, Failure } from '../failure.ts';

/** Reads a plan as JSON. Whether it is a good plan is the orchestrator's to say: it lists every problem. */
export function readPlanFile(path: string): Record<string, unknown> {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_PLAN_BYTES) {
      throw new Failure(EXIT.badInput, `${path} holds ${size} bytes; a plan may have at most ${MAX_PLAN_BYTES}.`);
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(EXIT.badInput, `${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    throw new Failure(EXIT.badInput, `${path} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  throw new Failure(EXIT.badInput, `${path} does not hold a JSON object.`);
}
