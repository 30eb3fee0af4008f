import type { Pool, PoolClient } from 'pg';

/** What is used of a pool: a `pg.Pool` and a rotating one both are. */
export interface SessionPool {
  connect(): Promise<PoolClient>;
  query: Pool['query'];
}

/** Runs `work` in one transaction. What it throws rolls back; a session that broke is not used again. */
export async function inTransaction<T>(pool: SessionPool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A session that is ended from outside says so on the client, too: without a listener that ends the process.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query('begin');
    const value = await work(client);
    await client.query('commit');
    return value;
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
