import type {
  AggregateOptions,
  ChangeStreamDocument,
  ChangeStreamOptions,
  Collection,
  CollectionOptions,
  DbOptions,
  Document,
  Filter,
  FindOptions,
  IndexDescriptionInfo,
  ListIndexesCursor,
  ListIndexesOptions,
  MongoClient,
  RenameOptions,
  WithId,
} from 'mongodb';
import type { ClientUses } from './client-uses.ts';
import { RotatingAggregationCursor } from './rotating-aggregation-cursor.ts';
import { RotatingChangeStream } from './rotating-change-stream.ts';
import { RotatingCursor } from './rotating-cursor.ts';
import { RotatingFindCursor } from './rotating-find-cursor.ts';

/** One round trip each, or a few. */
const OPERATIONS = [
  'bulkWrite',
  'countDocuments',
  'createIndex',
  'createIndexes',
  'deleteMany',
  'deleteOne',
  'distinct',
  'drop',
  'dropIndex',
  'dropIndexes',
  'estimatedDocumentCount',
  'findOne',
  'findOneAndDelete',
  'findOneAndReplace',
  'findOneAndUpdate',
  'indexExists',
  'indexInformation',
  'indexes',
  'insertMany',
  'insertOne',
  'isCapped',
  'options',
  'replaceOne',
  'updateMany',
  'updateOne',
] as const satisfies readonly (keyof Collection)[];

type Operations<T extends Document> = Pick<Collection<T>, (typeof OPERATIONS)[number]>;

/** A collection to keep for ever: each operation runs on the newest client, or on that of the session it names. */
export interface RotatingCollection<T extends Document = Document> extends Operations<T> {
  readonly dbName: string;
  readonly collectionName: string;
  /** `database.collection` */
  readonly namespace: string;
  find(filter?: Filter<T>, options?: FindOptions): RotatingFindCursor<WithId<T>>;
  find<U extends Document>(filter: Filter<T>, options?: FindOptions): RotatingFindCursor<U>;
  aggregate<U extends Document = Document>(
    pipeline?: Document[],
    options?: AggregateOptions,
  ): RotatingAggregationCursor<U>;
  listIndexes(options?: ListIndexesOptions): RotatingCursor<IndexDescriptionInfo, ListIndexesCursor>;
  watch<L extends Document = T, C extends Document = ChangeStreamDocument<L>>(
    pipeline?: Document[],
    options?: ChangeStreamOptions,
  ): RotatingChangeStream<L, C>;
  /** Resolves with the collection under its new name. */
  rename(newName: string, options?: RenameOptions): Promise<RotatingCollection>;
}

export interface CollectionPlace {
  readonly database: string;
  readonly databaseOptions: DbOptions | undefined;
  readonly name: string;
  readonly options: CollectionOptions | undefined;
}

export function rotatingCollection<T extends Document>(
  uses: ClientUses,
  place: CollectionPlace,
): RotatingCollection<T> {
  const { database, databaseOptions, name, options: collectionOptions } = place;
  const on = (client: MongoClient): Collection<T> =>
    client.db(database, databaseOptions).collection<T>(name, collectionOptions);
  return {
    ...uses.forward<Collection<T>, (typeof OPERATIONS)[number]>(OPERATIONS, on),
    dbName: database,
    collectionName: name,
    namespace: `${database}.${name}`,
    find: <U extends Document>(filter: Filter<T> = {}, options: FindOptions = {}) =>
      new RotatingFindCursor<U>({ uses, args: [options], make: (client) => on(client).find<U>(filter, options) }),
    aggregate: <U extends Document>(pipeline: Document[] = [], options: AggregateOptions = {}) =>
      new RotatingAggregationCursor<U>({
        uses,
        args: [options],
        make: (client) => on(client).aggregate<U>([...pipeline], options),
      }),
    listIndexes: (options = {}) =>
      new RotatingCursor({ uses, args: [options], make: (client) => on(client).listIndexes(options) }),
    watch: <L extends Document, C extends Document>(pipeline: Document[] = [], options: ChangeStreamOptions = {}) =>
      new RotatingChangeStream<L, C>({
        uses,
        options,
        make: (client, resumeOptions) => on(client).watch<L, C>(pipeline, resumeOptions),
      }),
    async rename(newName, options) {
      await uses.run([options], (client) => on(client).rename(newName, options));
      return rotatingCollection(uses, { ...place, name: newName });
    },
  };
}
