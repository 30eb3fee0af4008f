import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defaultPrograms, type ProgramCatalogue, programCatalogue } from '@neural-hive/worker-agents';
import { environmentFailure } from '../failure.ts';
import type { Programs } from './staging.ts';

/** The operator's own list of programs. As root the worker's uid must be able to read it. */
export function allowedProgramsFile(): string | undefined {
  const file = process.env.ALLOWED_PROGRAMS_FILE;
  return file === undefined || file === '' ? undefined : resolve(file);
}

/** What tickets may run: the launcher and the worker read the same list. */
export function attemptPrograms(programs: Programs): ProgramCatalogue {
  const file = allowedProgramsFile();
  if (file === undefined) {
    return defaultPrograms({ node: programs.node, typescript: join(programs.modules, 'typescript') });
  }
  try {
    return programCatalogue.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw environmentFailure(`ALLOWED_PROGRAMS_FILE: ${file} is no list of programs: ${reason}`, error);
  }
}
