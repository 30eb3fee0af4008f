export type { RotatingMongoClientOptions } from './connect.ts';
export { type MongoLogin, parseMongoLogin } from './login.ts';
export { RotatingAggregationCursor } from './rotating-aggregation-cursor.ts';
export { RotatingChangeStream, type RotatingChangeStreamEvents } from './rotating-change-stream.ts';
export type { RotatingCollection } from './rotating-collection.ts';
export { RotatingCursor } from './rotating-cursor.ts';
export type { RotatingAdmin, RotatingDb } from './rotating-db.ts';
export { RotatingFindCursor } from './rotating-find-cursor.ts';
export { RotatingMongoClient, rotatingMongoClient } from './rotating-mongo-client.ts';
