import { databaseCredentials, RotatingCredential, type RotationOutcome } from '@neural-hive/security/credentials';
import { rotatingPool } from '@neural-hive/security/pg';
import { percentile, type Result, resultOf } from '../result.ts';
import { type LoadTotals, PoolLoad } from './pool-load.ts';
import { DATABASE_ROLE, type PostgresServers, startPostgresServers } from './postgres-servers.ts';

/** What a run of rotations did to the work beside it. */
export interface RotationSummary {
  readonly name: string;
  readonly rotations: number;
  readonly operations: number;
  readonly failed: number;
  readonly retried: 0;
  readonly terminated: number;
  readonly orphanSessions: number;
  readonly medianRotationMs: number;
}

/** Rotations of a PostgreSQL login under load beside the same load without any, and a control that does not drain. */
export async function* postgresRotationResults(rotations: number): AsyncGenerator<Result | RotationSummary> {
  const servers = await startPostgresServers();
  try {
    const rotated = await run(servers, rotations, 10_000);
    yield rotated.summary;
    const still = await run(servers, 0, 10_000, rotated.tookMs);
    for (const [what, key] of [
      ['time to acquire a connection', 'acquireMs'],
      ['time to acquire and run a query of 1 ms', 'queryMs'],
    ] as const) {
      for (const share of [0.5, 0.99]) {
        const of = ({ load }: { load: LoadTotals }): number[] => [percentile(load[key], share)];
        yield resultOf(`PostgreSQL under rotation / without: p${share * 100} ${what}`, 'ms', {
          ours: of(rotated),
          peer: of(still),
        });
      }
    }
    const control = await run(servers, Math.min(rotations, 10), 0);
    yield { ...control.summary, name: `control without drain: ${control.summary.name}` };
  } finally {
    await servers.close();
  }
}

async function run(servers: PostgresServers, rotations: number, drainTimeoutMs: number, forMs = 0) {
  const { vault, connection } = servers;
  const provider = databaseCredentials(vault, DATABASE_ROLE);
  await using credential = await RotatingCredential.open({ provider, drainTimeoutMs });
  const pool = rotatingPool(
    credential,
    { ...connection, max: PoolLoad.CONNECTIONS },
    { probeQuery: 'SELECT count(*) FROM bench_rows', warmConnections: PoolLoad.CONNECTIONS },
  );
  const startMs = performance.now();
  const load = new PoolLoad(pool);
  const outcomes: RotationOutcome[] = [];
  for (let index = 0; index < rotations; index += 1) outcomes.push(await credential.rotate());
  if (forMs > 0) await new Promise((resolve) => setTimeout(resolve, forMs));
  const tookMs = performance.now() - startMs;
  const totals = await load.stop();
  const summary: RotationSummary = {
    name: `${rotations} rotations of a PostgreSQL login under load`,
    rotations: outcomes.filter(({ ok }) => ok).length,
    operations: totals.done,
    failed: totals.failures.length,
    retried: 0,
    terminated: outcomes.reduce((sum, { terminated }) => sum + terminated, 0),
    orphanSessions: await servers.orphanSessions(),
    medianRotationMs: Math.round(
      percentile(
        outcomes.map(({ startedAtMs, drainedAtMs }) => drainedAtMs - startedAtMs),
        0.5,
      ),
    ),
  };
  await pool.end();
  return { load: totals, summary, tookMs };
}
