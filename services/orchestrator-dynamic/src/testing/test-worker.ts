import type { ErrorClass, ExecutionTicket, TaskType } from '@neural-hive/contracts';
import { TASK_TYPES } from '@neural-hive/contracts';
import pg from 'pg';
import type { Attempt, Execute } from './plan-engine-contract.ts';

export interface TestWorkerOptions {
  readonly types?: readonly TaskType[];
  /** Whether announcements wake it; else it only polls. Default true. */
  readonly listen?: boolean;
  readonly pollMs?: number;
}

/** A worker over the transport's real functions, without executors. */
export class TestWorker {
  readonly attempts: Attempt[] = [];
  readonly #client: pg.Client;
  readonly #execute: Execute;
  readonly #types: readonly TaskType[];
  #running = true;
  #wake = (): void => undefined;
  #loop: Promise<void> = Promise.resolve();

  private constructor(client: pg.Client, execute: Execute, types: readonly TaskType[]) {
    this.#client = client;
    this.#execute = execute;
    this.#types = types;
  }

  static async open(
    config: pg.ClientConfig,
    execute: Execute = async () => undefined,
    { types = TASK_TYPES, listen = true, pollMs = 200 }: TestWorkerOptions = {},
  ): Promise<TestWorker> {
    const client = new pg.Client(config);
    await client.connect();
    const worker = new TestWorker(client, execute, types);
    client.on('notification', () => worker.#wake());
    if (listen) await client.query('listen tickets_ready');
    worker.#loop = worker.#run(pollMs);
    return worker;
  }

  async close(): Promise<void> {
    this.#running = false;
    this.#wake();
    await this.#loop;
    await this.#client.end();
  }

  async #run(pollMs: number): Promise<void> {
    while (this.#running) {
      let announced = false;
      this.#wake = () => {
        announced = true;
      };
      if (await this.#takeOne()) continue;
      if (announced) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async #takeOne(): Promise<boolean> {
    const { rows } = await this.#client.query<{ fencing_token: string; payload: ExecutionTicket }>(
      "select * from tickets.claim($1, 'test-worker', 1)",
      [this.#types],
    );
    const row = rows[0];
    if (row === undefined) return false;
    const attempt = { ticket: row.payload, fencingToken: Number(row.fencing_token) };
    this.attempts.push(attempt);
    const failure = await this.#execute(attempt);
    if (failure === 'die') return true;
    await this.#client.query('select tickets.finish($1, $2, $3)', [
      attempt.ticket.ticket_id,
      attempt.fencingToken,
      JSON.stringify(resultOf(attempt, failure)),
    ]);
    return true;
  }
}

export function resultOf({ ticket, fencingToken }: Attempt, failure: { errorClass: ErrorClass } | undefined) {
  return {
    ticket_id: ticket.ticket_id,
    plan_id: ticket.plan_id,
    fencing_token: fencingToken,
    status: failure === undefined ? 'COMPLETED' : 'FAILED',
    result: { success: failure === undefined, output: failure === undefined ? { made_by: ticket.task_id } : {} },
    error_class: failure?.errorClass ?? null,
    error_message: failure === undefined ? null : `${ticket.task_id} failed`,
    actual_duration_ms: 1,
    agent_id: 'test-worker',
    spiffe_id: 'spiffe://neural-hive.local/ns/neural-hive-execution/sa/worker-agents',
    timestamp: 1,
  };
}
