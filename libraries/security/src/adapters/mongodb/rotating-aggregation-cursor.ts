import type { AggregationCursor, Document, Sort } from 'mongodb';
import { RotatingCursor } from './rotating-cursor.ts';

/** What `aggregate` gives. */
export class RotatingAggregationCursor<T> extends RotatingCursor<T, AggregationCursor<T>> {
  clone(): RotatingAggregationCursor<T> {
    return new RotatingAggregationCursor<T>(...this.parts());
  }

  map<U>(transform: (document: T) => U): RotatingAggregationCursor<U> {
    return this.shaped((cursor) => cursor.map(transform)) as unknown as RotatingAggregationCursor<U>;
  }

  addStage<U = T>(stage: Document): RotatingAggregationCursor<U> {
    return this.shaped((cursor) => cursor.addStage(stage)) as unknown as RotatingAggregationCursor<U>;
  }

  match(condition: Document): this {
    return this.addStage({ $match: condition }) as unknown as this;
  }

  sort(order: Sort): this {
    return this.addStage({ $sort: order }) as unknown as this;
  }

  limit(value: number): this {
    return this.addStage({ $limit: value }) as unknown as this;
  }

  skip(value: number): this {
    return this.addStage({ $skip: value }) as unknown as this;
  }

  group<U = T>(group: Document): RotatingAggregationCursor<U> {
    return this.addStage({ $group: group });
  }

  project<U extends Document = Document>(projection: Document): RotatingAggregationCursor<U> {
    return this.addStage({ $project: projection });
  }

  unwind(path: Document | string): this {
    return this.addStage({ $unwind: path }) as unknown as this;
  }

  lookup(lookup: Document): this {
    return this.addStage({ $lookup: lookup }) as unknown as this;
  }

  explain(...args: Parameters<AggregationCursor['explain']>): Promise<Document> {
    return this.ask((cursor) => cursor.explain(...args));
  }
}
