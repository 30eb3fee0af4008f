import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Problem } from './repository.ts';

/** Runs one of the installed tools and reports what it prints when it is not content. */
export function toolProblems(root: string, tool: string, args: readonly string[]): Problem[] {
  const result = spawnSync(join(root, 'node_modules', '.bin', tool), args, { cwd: root, encoding: 'utf8' });
  if (result.status === 0) return [];
  const text = [result.error?.message, result.stdout, result.stderr].filter(Boolean).join('\n').trim();
  return [{ file: tool, message: text }];
}
