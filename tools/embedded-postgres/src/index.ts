export { BINARY_SOURCES, type Binaries, type BinarySource, OLDEST_MAJOR } from './binaries/binaries.ts';
export { availableSources, locateBinaries } from './binaries/locate.ts';
export { PostgresServerError, type PostgresServerErrorCode } from './errors.ts';
export { type GuardOptions, spawnGuarded } from './guard.ts';
export { chooseRunAs, type RunAs } from './run-as.ts';
export type { StopMode } from './server.ts';
export { type EmbeddedPostgres, type StartOptions, startPostgres } from './start.ts';
