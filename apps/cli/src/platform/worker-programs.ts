import { join } from 'node:path';
import { defaultPrograms, type ProgramCatalogue } from '@neural-hive/worker-agents';
import type { Programs } from './staging.ts';

/** What BUILD and TEST tickets may run: the launcher and the worker read the same list. */
export function attemptPrograms(programs: Programs): ProgramCatalogue {
  return defaultPrograms({ node: programs.node, typescript: join(programs.modules, 'typescript') });
}
