import type { PlanEvent } from '../../domain/index.ts';
import { NEWS_SIGNAL, type PlanInput, WISH_UPDATE, type WishAnswer, WORKFLOW, workflowIdOf } from './plan-messages.ts';
import type { ClientConnection, TemporalSdk, WorkflowClient } from './temporal-sdk.ts';

export interface PlanClientOptions {
  readonly sdk: TemporalSdk;
  readonly connection: ClientConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  /** See `PlanInput`. */
  readonly maxEvents?: number | undefined;
}

/** Reaches the workflow of a plan. One that is not there, or has ended, is started: it goes on from the store. */
export class PlanClient {
  readonly #workflows: WorkflowClient;
  readonly #sdk: TemporalSdk;
  readonly #taskQueue: string;
  readonly #maxEvents: number | undefined;

  constructor({ sdk, connection, namespace, taskQueue, maxEvents }: PlanClientOptions) {
    this.#workflows = new sdk.Client({ connection, namespace }).workflow;
    this.#sdk = sdk;
    this.#taskQueue = taskQueue;
    this.#maxEvents = maxEvents;
  }

  async start(planId: string): Promise<void> {
    await this.#workflows.start(WORKFLOW, this.#startOptions(planId));
  }

  /** Resolves when Temporal has the event. */
  async tell(planId: string, event: PlanEvent): Promise<void> {
    const { workflowIdConflictPolicy: _, ...options } = this.#startOptions(planId);
    await this.#workflows.signalWithStart(WORKFLOW, { ...options, signal: NEWS_SIGNAL, signalArgs: [event] });
  }

  /** Resolves when what came of the event is kept. */
  async wish(planId: string, event: PlanEvent): Promise<WishAnswer> {
    const startWorkflowOperation = new this.#sdk.WithStartWorkflowOperation(WORKFLOW, this.#startOptions(planId));
    const options = { args: [event], startWorkflowOperation };
    return (await this.#workflows.executeUpdateWithStart(WISH_UPDATE, options)) as WishAnswer;
  }

  #startOptions(planId: string) {
    const input: PlanInput = { planId, ...(this.#maxEvents !== undefined && { maxEvents: this.#maxEvents }) };
    return {
      workflowId: workflowIdOf(planId),
      taskQueue: this.#taskQueue,
      args: [input],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      workflowIdConflictPolicy: 'USE_EXISTING',
    } as const;
  }
}
