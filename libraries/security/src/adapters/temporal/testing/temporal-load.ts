import { once } from 'node:events';
import type { SdkWorkflowClient } from './temporal-sdk.ts';

/** The kinds of history events that a lost or failed task leaves: of workflows 8 and 9, of activities 13 and 14. */
const BAD_EVENTS: ReadonlySet<number> = new Set([8, 9, 13, 14]);

export interface LoadResult {
  readonly completed: number;
  /** What calls were rejected with. */
  readonly failures: readonly unknown[];
  /** Tasks that failed or were lost, by workflow. */
  readonly badTasks: readonly string[];
}

/** Workflows, one after another in each of several lanes. */
export class TemporalLoad {
  readonly #client: SdkWorkflowClient;
  readonly #taskQueue: string;
  readonly #ended = new EventTarget();
  readonly #ids: string[] = [];
  readonly #failures: unknown[] = [];
  readonly #lanes: Promise<void>[];
  #running = true;

  constructor(client: SdkWorkflowClient, options: { readonly taskQueue: string; readonly lanes: number }) {
    this.#client = client;
    this.#taskQueue = options.taskQueue;
    this.#lanes = Array.from({ length: options.lanes }, (_, lane) => this.#run(lane));
  }

  /** Resolves when so many more workflows have ended, badly or well. */
  async more(count: number): Promise<void> {
    for (let ended = 0; ended < count; ended += 1) await once(this.#ended, 'end');
  }

  async stop(): Promise<LoadResult> {
    this.#running = false;
    await Promise.all(this.#lanes);
    const badTasks: string[] = [];
    for (const id of this.#ids) {
      const { events } = await this.#client.getHandle(id).fetchHistory();
      const bad = events.filter(({ eventType }) => BAD_EVENTS.has(eventType));
      if (bad.length > 0) badTasks.push(`${id}: ${bad.map(({ eventType }) => eventType)}`);
    }
    return { completed: this.#ids.length, failures: this.#failures, badTasks };
  }

  async #run(lane: number): Promise<void> {
    for (let number = 0; this.#running; number += 1) {
      const workflowId = `${this.#taskQueue}-${lane}-${number}`;
      try {
        // A machine that is busy with other things is not to look like a lost task.
        const patience = { workflowTaskTimeout: '2 minutes' };
        const options = { taskQueue: this.#taskQueue, workflowId, args: [3], ...patience };
        const sum = await this.#client.execute('order', options);
        if (sum !== 6) throw new Error(`${workflowId} gave ${sum}`);
        this.#ids.push(workflowId);
      } catch (error) {
        this.#failures.push(error);
      }
      this.#ended.dispatchEvent(new Event('end'));
    }
  }
}
