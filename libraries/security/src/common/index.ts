export { type BackoffOptions, fullJitterMs } from './backoff.ts';
export { BoundedMap } from './bounded-map.ts';
export { type Clock, MAX_TIMER_MS, type Random, secondsLeft, sleep, systemClock, type Timer } from './clock.ts';
export { messageOf, NeuralHiveError } from './errors.ts';
export {
  type AuthDecisionEvent,
  type BundleEvent,
  EventChannel,
  events,
  type LeaseChange,
  type RotationEvent,
  type SvidEvent,
  type VaultRequestEvent,
  type VaultTokenEvent,
} from './events.ts';
export { FileWatch, type FileWatchOptions } from './file-watch.ts';
export { type Logger, silentLogger } from './logger.ts';
export { isNonProduction, NON_PRODUCTION } from './non-production.ts';
export { Secret } from './secret.ts';
export { SingleFlight } from './single-flight.ts';
export { SnapshotCell } from './snapshot-cell.ts';
export { assertPostgresSocket, assertSocketPath, MAX_SOCKET_PATH_BYTES } from './socket-path.ts';
export { TimerQueue, type TimerQueueOptions } from './timer-queue.ts';
export { withSignal } from './with-signal.ts';
