import { type Clock, messageOf, sleep } from '@neural-hive/security/common';
import type { Logger } from '@neural-hive/service-runtime';
import type { PlanActivities } from './plan-messages.ts';
import type { TemporalSdk, TemporalWorker, WorkerConnection } from './temporal-sdk.ts';

/** Makes a worker on a connection and runs it, moving it to newer connections. */
export type RunWorker = (
  create: (connection: WorkerConnection) => Promise<TemporalWorker>,
  run: (worker: TemporalWorker) => Promise<void>,
) => Promise<void>;

export interface PlanWorkerOptions {
  readonly sdk: TemporalSdk;
  readonly runWorker: RunWorker;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: PlanActivities;
  readonly clock: Clock;
  readonly log?: Pick<Logger, 'error'> | undefined;
}

const AGAIN_MS = 1_000;

/** The worker in this process that runs plans' workflows and what they have done; made anew when it fails. */
export class PlanWorker {
  readonly #options: PlanWorkerOptions;
  readonly #stopping = new AbortController();
  #worker: TemporalWorker | undefined;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: PlanWorkerOptions) {
    this.#options = options;
  }

  /** Resolves once the first worker runs, rejects when it cannot be made. */
  static async open(options: PlanWorkerOptions): Promise<PlanWorker> {
    const worker = new PlanWorker(options);
    const workflowBundle = await options.sdk.bundleWorkflow();
    await new Promise<void>((resolve, reject) => {
      worker.#running = worker.#run(workflowBundle, resolve, reject);
    });
    return worker;
  }

  /** Whether it takes tasks. */
  get working(): boolean {
    return this.#worker !== undefined;
  }

  /** Takes no further task and lets those under way end. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#worker?.shutdown();
    await this.#running;
  }

  async #run(workflowBundle: object, onRunning: () => void, onFailure: (error: unknown) => void): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#runOne(workflowBundle, onRunning);
      } catch (error) {
        onFailure(error);
        log?.error({ error: messageOf(error) }, 'the Temporal worker failed and is made anew');
        await sleep(AGAIN_MS, { clock, signal }).catch(() => undefined);
      } finally {
        this.#worker = undefined;
      }
    }
  }

  #runOne(workflowBundle: object, onRunning: () => void): Promise<void> {
    const { activities, namespace, runWorker, sdk, taskQueue } = this.#options;
    return runWorker(
      (connection) =>
        sdk.Worker.create({
          connection,
          namespace,
          taskQueue,
          workflowBundle,
          activities,
          stickyQueueScheduleToStartTimeout: '2s',
          shutdownGraceTime: '10s',
          shutdownForceTime: '20s',
        }),
      async (worker) => {
        this.#worker = worker;
        const running = worker.run();
        if (this.#stopping.signal.aborted) worker.shutdown();
        onRunning();
        await running;
      },
    );
  }
}
