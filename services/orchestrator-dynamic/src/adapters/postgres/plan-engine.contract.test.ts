import pg from 'pg';
import { describePlanEngine, type EngineFixture } from '../../testing/plan-engine-contract.ts';
import { startTestDatabase } from '../../testing/test-database.ts';
import { TestWorker } from '../../testing/test-worker.ts';
import { PostgresPlanEngine } from './plan-engine.ts';

async function start(): Promise<EngineFixture> {
  const database = await startTestDatabase();
  const pool = new pg.Pool({ ...database.orchestrator, max: 10 });
  pool.on('error', () => undefined);
  const hand = new pg.Client(database.worker);
  await hand.connect();
  return {
    async open({ admission, policy, listen }) {
      const engine = await PostgresPlanEngine.open({ pool, admission, policy, ...(!listen && { pollMs: 60_000 }) });
      if (!listen) return engine;
      const listener = new pg.Client(database.orchestrator);
      await listener.connect();
      listener.on('notification', ({ payload }) => engine.wake(payload ?? ''));
      await listener.query('listen tickets_results');
      const close = engine.close.bind(engine);
      engine.close = async () => {
        await listener.end();
        await close();
      };
      return engine;
    },
    worker: (execute, types) => TestWorker.open(database.worker, execute, { types }),
    async claim(type) {
      for (;;) {
        const { rows } = await hand.query("select * from tickets.claim(array[$1], 'w', 1)", [type]);
        const [row] = rows;
        if (row !== undefined) return { ticket: row.payload, fencingToken: Number(row.fencing_token) };
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async finish({ ticket, fencingToken }, result) {
      const { rows } = await hand.query('select tickets.finish($1, $2, $3) as ok', [
        ticket.ticket_id,
        fencingToken,
        JSON.stringify(result),
      ]);
      return rows[0].ok;
    },
    async heartbeat({ ticket, fencingToken }) {
      const { rows } = await hand.query('select tickets.heartbeat($1, $2) as ok', [ticket.ticket_id, fencingToken]);
      return rows[0].ok;
    },
    async offered(planId) {
      const { rows } = await pool.query('select from tickets.ticket where plan_id = $1', [planId]);
      return rows.length;
    },
    async audit(planId) {
      const { rows } = await pool.query<{ line: string }>(
        `select action || ' ' || spiffe_id || ' ' || coalesce(detail ->> 'text', '') as line
           from orchestrator.audit where plan_id = $1 order by audit_id`,
        [planId],
      );
      return rows.map(({ line }) => line);
    },
    async close() {
      await hand.end();
      await pool.end();
      await database.stop();
    },
  };
}

describePlanEngine('PostgreSQL', start);
