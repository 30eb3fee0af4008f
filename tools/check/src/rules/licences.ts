import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem, Repository, Rule } from '../repository.ts';

/** Licences that ask for no more than notice. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'CC-BY-4.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
]);

/** Weak copyleft, for tools that are only run while developing and of which nothing is shipped. */
const ALLOWED_FOR_DEVELOPMENT = new Set(['MPL-2.0']);

interface LockEntry {
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly license?: string;
}

/** Whether an SPDX expression allows one of the licences: `A OR B` needs one of them, `A AND B` needs both. */
export function allows(expression: string, allowed: (licence: string) => boolean): boolean {
  const text = expression.replaceAll(/[()]/g, '');
  return text.split(/ OR /i).some((choice) => choice.split(/ AND /i).every((licence) => allowed(licence.trim())));
}

function licenceOf(repository: Repository, path: string, entry: LockEntry): string {
  if (entry.license !== undefined) return entry.license;
  const manifest = join(repository.root, path, 'package.json');
  if (!existsSync(manifest)) return '';
  const { license } = JSON.parse(readFileSync(manifest, 'utf8')) as { license?: unknown };
  return typeof license === 'string' ? license : '';
}

export const licences: Rule = {
  name: 'dependency licences',
  check: (repository) => {
    const lock = JSON.parse(repository.read('package-lock.json')) as { packages: Record<string, LockEntry> };
    const problems: Problem[] = [];
    for (const [path, entry] of Object.entries(lock.packages)) {
      if (!path.includes('node_modules/') || entry.link) continue;
      const licence = licenceOf(repository, path, entry);
      const fits = (name: string): boolean =>
        ALLOWED.has(name) || (entry.dev === true && ALLOWED_FOR_DEVELOPMENT.has(name));
      if (!allows(licence, fits)) {
        problems.push({ file: path, message: `has the licence "${licence || 'unknown'}", which is not on the list` });
      }
    }
    return problems;
  },
};
