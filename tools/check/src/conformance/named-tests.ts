import type { Repository } from '../repository.ts';
import { POINTS } from './points.ts';

/** A test whose title begins with the ids of the points it proves, such as `ID-07: an empty segment is refused`. */
export interface NamedTest {
  readonly file: string;
  readonly ids: readonly string[];
  /** The title after the ids. */
  readonly title: string;
}

const KNOWN = new Set(POINTS.flatMap(({ ids }) => ids));
const ID = '[A-Z]{1,2}-\\d{2}';
/** A text in the source that begins with ids and a colon: a title, or the title of one row of a table. */
const TITLE = new RegExp(`(['"\`])(${ID}(?:, ${ID})*): ((?:(?!\\1)[^\\\\\\n]|\\\\.)+)\\1`, 'g');
const ANY_ID = new RegExp(`\\b${ID}\\b`, 'g');

const LIBRARY = 'libraries/security/';

/** For Vitest's `-t`. */
export const TITLE_FILTER = `\\b(${[...new Set([...KNOWN].map((id) => id.split('-')[0]))].join('|')})-\\d{2}\\b`;

/** The tests of the library that name points, in the order of files and lines. Tests that need real components are left out. */
export function namedTests(repository: Repository): NamedTest[] {
  return repository.files
    .filter((file) => file.startsWith(LIBRARY) && file.endsWith('.test.ts') && !file.endsWith('.real.test.ts'))
    .toSorted()
    .flatMap((file) =>
      [...repository.read(file).matchAll(TITLE)].map((match) => ({
        file,
        ids: idsIn(match[2] ?? ''),
        // What a table puts into the title is left out.
        title: (match[3] ?? '')
          .replace(/:? %[sij]$/, '')
          .replaceAll(/%[sij]/g, '…')
          .replaceAll(/\\(.)/g, '$1'),
      })),
    )
    .filter(({ ids }) => ids.length > 0);
}

/** The known ids in a text. */
export function idsIn(text: string): string[] {
  return (text.match(ANY_ID) ?? []).filter((id) => KNOWN.has(id));
}
