import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Whether the build of an image does not see a path below the root. */
export type Ignored = (path: string) => boolean;

/** The rules of a `.dockerignore`: the last one that fits decides, and `!` takes back. */
export function parseIgnoreFile(text: string): Ignored {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({
      ignores: !line.startsWith('!'),
      pattern: patternOf(line.replace(/^!/, '').replace(/^\/|\/$/g, '')),
    }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.ignores ?? false;
}

/** Fits the path itself and everything below it. */
function patternOf(glob: string): RegExp {
  const source = glob
    .split('/')
    .map((part) =>
      part === '**'
        ? '**'
        : part
            .replace(/[.+^${}()|[\]\\]/g, '\\$&')
            .replaceAll('*', '[^/]*')
            .replaceAll('?', '[^/]'),
    )
    .join('/')
    .replaceAll('**/', '(?:.*/)?');
  return new RegExp(`^${source}(?:/.*)?$`);
}

/** The ignore file of a Dockerfile: its own, else the root's. */
export function ignoredBy(root: string, dockerfile: string): Ignored {
  const file = [`${dockerfile}.dockerignore`, '.dockerignore'].map((name) => join(root, name)).find(existsSync);
  return parseIgnoreFile(file === undefined ? '' : readFileSync(file, 'utf8'));
}

/** Copies what the build sees into an empty folder. */
export function copyContext(root: string, target: string, ignored: Ignored): void {
  const visit = (below: string): void => {
    for (const entry of readdirSync(join(root, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (ignored(path)) continue;
      const to = join(target, path);
      if (entry.isDirectory()) visit(path);
      else {
        mkdirSync(dirname(to), { recursive: true });
        if (entry.isSymbolicLink()) symlinkSync(readlinkSync(join(root, path)), to);
        else if (entry.isFile()) copyFileSync(join(root, path), to);
      }
    }
  };
  visit('');
}
