import { randomUUID } from 'node:crypto';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import { type FerretDbServer, startFerretDb, startTemporal, type TemporalServer } from '@neural-hive/real-stack';
import { RotatingCredential } from '@neural-hive/security/credentials';
import { type MongoLogin, type RotatingMongoClient, rotatingMongoClient } from '@neural-hive/security/mongodb';
import { temporalTls } from '@neural-hive/security/temporal';
import pg from 'pg';
import { MongoPlanStore } from '../adapters/mongodb/plan-store.ts';
import { MongoTicketDesk } from '../adapters/mongodb/ticket-desk.ts';
import { TemporalPlanEngine, type TemporalPlanEngineOptions } from '../adapters/temporal/temporal-plan-engine.ts';
import {
  type ClientConnection,
  loadTemporalSdk,
  type TemporalSdk,
  type WorkerConnection,
} from '../adapters/temporal/temporal-sdk.ts';
import { svidOf } from './api-fixture.ts';
import { BusWorker } from './bus-worker.ts';
import { MemoryTicketBus } from './memory-ticket-bus.ts';
import { ABLE, type Attempt, type EngineFixture, QUICK } from './plan-engine-contract.ts';
import { startTestDatabase, type TestDatabase } from './test-database.ts';

const YEAR_MS = 365 * 86_400_000;

/** A client on a login that stays as it is. */
export async function mongoClientOf({ uri, username, password }: FerretDbServer) {
  const credential = await RotatingCredential.open<MongoLogin>({
    provider: {
      name: 'fixed',
      obtain: async () => ({
        value: { username, password },
        issuedAtMs: Date.now(),
        expiresAtMs: Date.now() + YEAR_MS,
        revoke: async () => undefined,
      }),
    },
  });
  const client = await rotatingMongoClient(credential, uri);
  return { client, credential };
}

/** A real Temporal, FerretDB and PostgreSQL, and a bus within the process. */
export class TemporalStage implements EngineFixture {
  readonly bus = new MemoryTicketBus();
  readonly sdk: TemporalSdk;
  readonly server: TemporalServer;
  readonly store: MongoPlanStore;
  readonly desk: MongoTicketDesk;
  readonly pool: pg.Pool;
  readonly taskQueue = `plans-${randomUUID()}`;
  readonly connection: ClientConnection;
  readonly #native: WorkerConnection;
  readonly #closing: (() => Promise<unknown>)[];
  #engine: TemporalPlanEngine | undefined;
  #listening = true;

  private constructor(parts: {
    sdk: TemporalSdk;
    server: TemporalServer;
    mongo: RotatingMongoClient;
    store: MongoPlanStore;
    pool: pg.Pool;
    connection: ClientConnection;
    native: WorkerConnection;
    closing: (() => Promise<unknown>)[];
  }) {
    this.sdk = parts.sdk;
    this.server = parts.server;
    this.store = parts.store;
    this.desk = new MongoTicketDesk(parts.mongo.db('plans'));
    this.pool = parts.pool;
    this.connection = parts.connection;
    this.#native = parts.native;
    this.#closing = parts.closing;
  }

  static async start(): Promise<TemporalStage> {
    const closing: (() => Promise<unknown>)[] = [];
    const sdk = loadTemporalSdk({ folder: process.env.TEMPORAL_SDK });
    const server = await startTemporal();
    closing.push(() => server.stop());
    const ferretDb = await startFerretDb();
    closing.push(() => ferretDb.stop());
    const database: TestDatabase = await startTestDatabase();
    closing.push(() => database.stop());
    const pool = new pg.Pool({ ...database.orchestrator, max: 10 });
    pool.on('error', () => undefined);
    closing.push(() => pool.end());
    const { client: mongo, credential } = await mongoClientOf(ferretDb);
    closing.push(() => credential.close());
    closing.push(() => mongo.close());
    const tls = temporalTls(svidOf(server.authority, SPIFFE_IDS.orchestrator), {
      serverCa: server.authority.certificatePem,
      serverName: 'localhost',
    });
    const { address } = server;
    const connection = await sdk.Connection.connect({ address, tls });
    closing.push(() => connection.close());
    const native = await sdk.NativeConnection.connect({ address, tls });
    closing.push(() => native.close());
    const store = await MongoPlanStore.open(mongo.db('plans'));
    return new TemporalStage({ sdk, server, mongo, store, pool, connection, native, closing });
  }

  /** The engine that was opened last. */
  get engine(): TemporalPlanEngine {
    if (this.#engine === undefined) throw new Error('no engine is open');
    return this.#engine;
  }

  async open({
    listen = true,
    ...options
  }: Partial<TemporalPlanEngineOptions> & { listen?: boolean } = {}): Promise<TemporalPlanEngine> {
    this.#listening = listen;
    this.#engine = await TemporalPlanEngine.open({
      sdk: this.sdk,
      connection: this.connection,
      runWorker: async (create, run) => run(await create(this.#native)),
      namespace: this.server.namespace,
      taskQueue: this.taskQueue,
      store: this.store,
      desk: this.desk,
      bus: this.bus,
      pool: this.pool,
      admission: ABLE,
      policy: QUICK,
      ...options,
    });
    return this.#engine;
  }

  async worker(...[execute, types]: Parameters<EngineFixture['worker']>): Promise<BusWorker> {
    return new BusWorker({ bus: this.bus, engine: () => this.engine, execute, types });
  }

  async claim(type: Parameters<EngineFixture['claim']>[0]): Promise<Attempt> {
    for (;;) {
      const ticket = await this.bus.take([type], new AbortController().signal);
      if (ticket === undefined) continue;
      const claimant = { agentId: 'w', spiffeId: SPIFFE_IDS.worker, retryCount: ticket.retry_count };
      const answer = this.#listening
        ? await this.engine.claim(ticket.ticket_id, claimant)
        : (await this.desk.claim(ticket.ticket_id, claimant)).answer;
      if (answer.outcome === 'granted') return { ticket, fencingToken: answer.fencing_token };
    }
  }

  async finish({ ticket, fencingToken }: Attempt, result: object): Promise<boolean> {
    const news = await this.desk.finish(ticket.ticket_id, fencingToken, result);
    if (typeof news === 'string') return false;
    await this.engine.result(ticket.ticket_id, ticket.plan_id, fencingToken, result);
    return true;
  }

  async heartbeat({ ticket, fencingToken }: Attempt): Promise<boolean> {
    const holder = { fencingToken, spiffeId: SPIFFE_IDS.worker };
    return (await this.engine.heartbeat(ticket.ticket_id, holder)).outcome === 'held';
  }

  async offered(planId: string): Promise<number> {
    return this.bus.published.filter(({ plan_id }) => plan_id === planId).length;
  }

  async audit(planId: string): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ line: string }>(
      `select action || ' ' || spiffe_id || ' ' || coalesce(detail ->> 'text', '') as line
         from orchestrator.audit where plan_id = $1 order by audit_id`,
      [planId],
    );
    return rows.map(({ line }) => line);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}
