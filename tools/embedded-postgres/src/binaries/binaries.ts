export type BinarySource = 'path' | 'debian' | 'npm';

export const BINARY_SOURCES: readonly BinarySource[] = ['path', 'debian', 'npm'];

/** Older servers lack what the platform's roles and queries rely on. */
export const OLDEST_MAJOR = 15;

/** A folder with `postgres` and `initdb` of one version. */
export interface Binaries {
  readonly source: BinarySource;
  readonly folder: string;
  readonly majorVersion: number;
  /** As the server prints it, for instance `18.4`. */
  readonly version: string;
}
