export { type IoredisRotation, rotateIoredis } from './ioredis.ts';
export type { RedisLogin } from './login.ts';
export {
  NodeRedisCredentials,
  type NodeRedisListener,
  type NodeRedisLogin,
  nodeRedisCredentials,
  type RedisRotationOptions,
} from './node-redis.ts';
