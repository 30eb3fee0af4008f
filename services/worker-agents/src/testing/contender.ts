import { join } from 'node:path';
import { compiled } from './guards.ts';

let program: string | undefined;

/** The program of `lock-contender.ts`, as JavaScript. */
export function builtContender(): string {
  program ??= join(
    compiled([
      'testing/lock-contender.ts',
      'adapters/filesystem/process-lock.ts',
      'adapters/filesystem/process-identity.ts',
    ]),
    'testing/lock-contender.js',
  );
  return program;
}
