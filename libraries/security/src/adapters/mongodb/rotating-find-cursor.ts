import type { CollationOptions, CountOptions, Document, FindCursor, Hint, Sort, SortDirection } from 'mongodb';
import { RotatingCursor } from './rotating-cursor.ts';

/** What `find` gives. */
export class RotatingFindCursor<T> extends RotatingCursor<T, FindCursor<T>> {
  clone(): RotatingFindCursor<T> {
    return new RotatingFindCursor<T>(...this.parts());
  }

  map<U>(transform: (document: T) => U): RotatingFindCursor<U> {
    return this.shaped((cursor) => cursor.map(transform)) as unknown as RotatingFindCursor<U>;
  }

  project<U extends Document = Document>(projection: Document): RotatingFindCursor<U> {
    return this.shaped((cursor) => cursor.project(projection)) as unknown as RotatingFindCursor<U>;
  }

  filter(filter: Document): this {
    return this.shaped((cursor) => cursor.filter(filter));
  }

  sort(sort: Sort | string, direction?: SortDirection): this {
    return this.shaped((cursor) => cursor.sort(sort, direction));
  }

  limit(value: number): this {
    return this.shaped((cursor) => cursor.limit(value));
  }

  skip(value: number): this {
    return this.shaped((cursor) => cursor.skip(value));
  }

  hint(hint: Hint): this {
    return this.shaped((cursor) => cursor.hint(hint));
  }

  min(min: Document): this {
    return this.shaped((cursor) => cursor.min(min));
  }

  max(max: Document): this {
    return this.shaped((cursor) => cursor.max(max));
  }

  comment(value: string): this {
    return this.shaped((cursor) => cursor.comment(value));
  }

  collation(value: CollationOptions): this {
    return this.shaped((cursor) => cursor.collation(value));
  }

  allowDiskUse(allow = true): this {
    return this.shaped((cursor) => cursor.allowDiskUse(allow));
  }

  maxAwaitTimeMS(value: number): this {
    return this.shaped((cursor) => cursor.maxAwaitTimeMS(value));
  }

  /** @deprecated as in the driver: use `countDocuments` */
  count(options?: CountOptions): Promise<number> {
    return this.ask((cursor) => cursor.count(options));
  }

  explain(...args: Parameters<FindCursor['explain']>): Promise<Document> {
    return this.ask((cursor) => cursor.explain(...args));
  }
}
