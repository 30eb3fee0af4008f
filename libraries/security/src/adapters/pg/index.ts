export {
  DedicatedClient,
  DedicatedClients,
  type DedicatedClientsOptions,
  dedicatedClients,
  type PgRotate,
} from './dedicated-clients.ts';
export type { PgLogin } from './login.ts';
export { type PoolRotation, type RotatePoolOptions, rotatePool } from './rotate-pool.ts';
export {
  type PgNotification,
  RotatingListener,
  type RotatingListenerOptions,
  rotatingListener,
} from './rotating-listener.ts';
export { RotatingPool, rotatingPool } from './rotating-pool.ts';
