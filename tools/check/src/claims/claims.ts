import type { Repository } from '../repository.ts';

/** What a page says about one file: that it is there and, where there is a title, that it has a test of that name. */
export interface Claim {
  /** Below the root of the repository. */
  readonly file: string;
  readonly title: string | undefined;
}

/** A row of a page's table. */
export interface Row {
  readonly cells: readonly string[];
}

/** The rows of all tables of a page, without their heads. */
export function rowsOf(markdown: string): Row[] {
  const rows: Row[] = [];
  let inTable = false;
  for (const line of markdown.split('\n')) {
    if (!line.startsWith('|')) inTable = false;
    else if (/^\|[\s:|-]+\|$/.test(line)) inTable = true;
    else if (inTable)
      rows.push({
        cells: line
          .slice(1, -1)
          .split(/(?<!\\)\|/)
          .map((cell) => cell.trim()),
      });
  }
  return rows;
}

/** `[name](../path)` or `[name](../path): title`, several of them with `<br>` between. */
export function claimsIn(cell: string): Claim[] {
  return cell.split('<br>').flatMap((part) => {
    const found = /^\[[^\]]*\]\(\.\.\/([^)]+)\)(?:: (.+))?$/.exec(part.trim());
    return found === null ? [] : [{ file: found[1] ?? '', title: found[2] }];
  });
}

/** What of a claim does not hold; undefined when it does. */
export function brokenClaim(repository: Repository, { file, title }: Claim): string | undefined {
  const isFolder = file.endsWith('/');
  const there = isFolder ? repository.files.some((path) => path.startsWith(file)) : repository.files.includes(file);
  if (!there) return `${file} does not exist`;
  if (title === undefined || titlesIn(repository.read(file)).has(title)) return undefined;
  return `${file} has no test "${title}"`;
}

const TITLE = /\b(?:test|it|describe)(?:\.\w+(?:\([^)]*\))?)*\(\s*(['"`])((?:(?!\1)[^\\]|\\.)*)\1/g;

/** The names of the tests in a source. */
export function titlesIn(code: string): Set<string> {
  return new Set([...code.matchAll(TITLE)].map((match) => (match[2] ?? '').replaceAll(/\\(.)/g, '$1')));
}
