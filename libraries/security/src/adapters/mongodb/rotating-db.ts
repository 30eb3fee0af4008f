import type {
  Admin,
  AggregateOptions,
  ChangeStreamDocument,
  ChangeStreamOptions,
  CollectionInfo,
  CollectionOptions,
  CreateCollectionOptions,
  Db,
  DbOptions,
  Document,
  ListCollectionsCursor,
  ListCollectionsOptions,
  MongoClient,
} from 'mongodb';
import type { ClientUses } from './client-uses.ts';
import { RotatingAggregationCursor } from './rotating-aggregation-cursor.ts';
import { RotatingChangeStream } from './rotating-change-stream.ts';
import { type RotatingCollection, rotatingCollection } from './rotating-collection.ts';
import { RotatingCursor } from './rotating-cursor.ts';

const OPERATIONS = [
  'command',
  'createIndex',
  'dropCollection',
  'dropDatabase',
  'indexInformation',
  'removeUser',
  'stats',
] as const satisfies readonly (keyof Db)[];

const ADMIN_OPERATIONS = [
  'buildInfo',
  'command',
  'listDatabases',
  'ping',
  'removeUser',
  'replSetGetStatus',
  'serverInfo',
  'serverStatus',
  'validateCollection',
] as const satisfies readonly (keyof Admin)[];

export type RotatingAdmin = Pick<Admin, (typeof ADMIN_OPERATIONS)[number]>;

/** A database to keep for ever. */
export interface RotatingDb extends Pick<Db, (typeof OPERATIONS)[number]> {
  readonly databaseName: string;
  admin(): RotatingAdmin;
  collection<T extends Document = Document>(name: string, options?: CollectionOptions): RotatingCollection<T>;
  createCollection<T extends Document = Document>(
    name: string,
    options?: CreateCollectionOptions,
  ): Promise<RotatingCollection<T>>;
  listCollections<I extends Pick<CollectionInfo, 'name' | 'type'> = CollectionInfo>(
    filter?: Document,
    options?: ListCollectionsOptions,
  ): RotatingCursor<I>;
  aggregate<T extends Document = Document>(
    pipeline?: Document[],
    options?: AggregateOptions,
  ): RotatingAggregationCursor<T>;
  watch<T extends Document = Document, C extends Document = ChangeStreamDocument<T>>(
    pipeline?: Document[],
    options?: ChangeStreamOptions,
  ): RotatingChangeStream<T, C>;
}

export function rotatingDb(uses: ClientUses, databaseName: string, databaseOptions: DbOptions | undefined): RotatingDb {
  const on = (client: MongoClient): Db => client.db(databaseName, databaseOptions);
  const collection = <T extends Document>(name: string, options?: CollectionOptions) =>
    rotatingCollection<T>(uses, { database: databaseName, databaseOptions, name, options });
  return {
    ...uses.forward<Db, (typeof OPERATIONS)[number]>(OPERATIONS, on),
    databaseName,
    admin: () =>
      uses.forward<Admin, (typeof ADMIN_OPERATIONS)[number]>(ADMIN_OPERATIONS, (client) => on(client).admin()),
    collection,
    async createCollection<T extends Document>(name: string, options?: CreateCollectionOptions) {
      await uses.run([options], (client) => on(client).createCollection(name, options));
      return collection<T>(name);
    },
    listCollections: <I extends Pick<CollectionInfo, 'name' | 'type'>>(
      filter: Document = {},
      options: ListCollectionsOptions = {},
    ) =>
      new RotatingCursor<I>({
        uses,
        args: [options],
        make: (client) => on(client).listCollections(filter, options) as ListCollectionsCursor<never>,
      }),
    aggregate: <T extends Document>(pipeline: Document[] = [], options: AggregateOptions = {}) =>
      new RotatingAggregationCursor<T>({
        uses,
        args: [options],
        make: (client) => on(client).aggregate<T>([...pipeline], options),
      }),
    watch: <T extends Document, C extends Document>(pipeline: Document[] = [], options: ChangeStreamOptions = {}) =>
      new RotatingChangeStream<T, C>({
        uses,
        options,
        make: (client, resumeOptions) => on(client).watch<T, C>(pipeline, resumeOptions),
      }),
  };
}
