import type { ExecutionTicket, TaskType } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import pg from 'pg';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { PostgresTicketSource, TICKET_CHANNELS } from '../adapters/postgres/ticket-source.ts';
import type { Capacity } from '../domain/capacity.ts';
import type { Executed } from '../domain/execution-result.ts';
import { executionSettings } from '../domain/execution-settings.ts';
import type { Execution, Executor } from '../domain/executor.ts';
import type { ExecutionSecrets, TicketSource } from '../domain/ports.ts';
import { TicketWorker } from '../engine/ticket-worker.ts';
import { workerMetrics } from '../engine/worker-metrics.ts';
import { startTicketDatabase, type TicketDatabase } from './database.ts';
import { ticketOf } from './tickets.ts';

export type Execute = (execution: Execution) => Promise<Executed>;

export interface WorkerSetup {
  readonly capacity?: Capacity;
  readonly agentId?: string;
  readonly storeResult?: ExecutionSecrets['storeResult'];
  /** Methods to put in place of the source's own, which it is given. */
  readonly instead?: (own: Pick<TicketSource, 'claim' | 'finish'>) => Partial<TicketSource>;
}

/** Workers on a ticket database of their own, one ticket id a test; for the tests of one file. */
export function workerStage() {
  let database: TicketDatabase;
  let pool: pg.Pool;
  let listener: pg.Client;
  const sources = new Set<PostgresTicketSource>();
  const workers: TicketWorker[] = [];

  beforeAll(async () => {
    database = await startTicketDatabase();
    pool = new pg.Pool({ ...database.worker, max: 4 });
    listener = new pg.Client(database.worker);
    await listener.connect();
    listener.on('notification', ({ channel, payload = '' }) => {
      for (const source of sources) source.notify(channel, payload);
    });
    for (const channel of TICKET_CHANNELS) await listener.query(`listen ${channel}`);
  });

  afterAll(async () => {
    await listener?.end();
    await pool?.end();
    await database?.stop();
  });

  let ticketNumber = 0;
  let ticketId = '';
  beforeEach(() => {
    ticketNumber += 1;
    ticketId = `plan.task-${ticketNumber}`;
  });

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.drain(0)));
    sources.clear();
  });

  const stored = new Map<string, unknown>();
  const secrets: ExecutionSecrets = {
    settingsFor: () => Promise.resolve(executionSettings.parse({})),
    getExecutionCredentials: () => Promise.resolve(new Secret({})),
    storeResult: (id, result) => {
      stored.set(id, result);
      return Promise.resolve(`worker/results/${id}`);
    },
  };

  function worker(executors: Partial<Record<TaskType, Execute>>, setup: WorkerSetup = {}): TicketWorker {
    const source = new PostgresTicketSource(pool);
    const own = { claim: source.claim.bind(source), finish: source.finish.bind(source) };
    if (setup.instead !== undefined) Object.assign(source, setup.instead(own));
    sources.add(source);
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const made = new TicketWorker({
      source,
      secrets: { ...secrets, ...(setup.storeResult && { storeResult: setup.storeResult }) },
      executors: Object.entries(executors).map(([type, execute]) => ({ type, execute }) as Executor),
      capacity: setup.capacity ?? { total: 4, byType: {} },
      publisher: { agentId: setup.agentId ?? 'agent-1', spiffeId: 'spiffe://neural-hive.local/ns/a/sa/b' },
      metrics: workerMetrics(new Registry()),
      log,
    });
    workers.push(made);
    return made;
  }

  const publish = (fields: Partial<ExecutionTicket> & Pick<ExecutionTicket, 'task_type'>): Promise<void> =>
    database.publish(ticketOf({ ticket_id: ticketId, ...fields }));

  const result = (id = ticketId) => expect.poll(() => database.result(id), { timeout: 60_000 });

  return {
    /** Of the test that runs. */
    get ticketId() {
      return ticketId;
    },
    get database() {
      return database;
    },
    /** What was given to the secrets to keep, by ticket. */
    stored,
    secrets,
    worker,
    publish,
    result,
  };
}

/** Runs until it is aborted, and tells when it began. */
export function endless(): { execute: Execute; started: Promise<void>; aborted: Promise<void> } {
  let begin: () => void = () => {};
  let end: () => void = () => {};
  const started = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const aborted = new Promise<void>((resolve) => {
    end = resolve;
  });
  const execute: Execute = ({ signal }) => {
    begin();
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        end();
        reject(signal.reason);
      });
    });
  };
  return { execute, started, aborted };
}
