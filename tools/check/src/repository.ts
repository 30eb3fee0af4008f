import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The repository as the rules see it: its files, as git would commit them. */
export interface Repository {
  readonly root: string;
  /** Paths below the root, with `/`. */
  readonly files: readonly string[];
  read(path: string): string;
}

/** One thing to mend. */
export interface Problem {
  readonly file: string;
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  check(repository: Repository): Problem[];
}

export function openRepository(root: string): Repository {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const files = listed.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  return { root, files, read: (path) => readFileSync(join(root, path), 'utf8') };
}

/** A repository made of texts, for tests. */
export function inMemory(texts: Readonly<Record<string, string>>): Repository {
  return {
    root: '/nowhere',
    files: Object.keys(texts),
    read: (path) => {
      const text = texts[path];
      if (text === undefined) throw new RangeError(`No file ${path}`);
      return text;
    },
  };
}

export function isCode(path: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(path) && !/(^|\/)(gen|dist)\//.test(path);
}
