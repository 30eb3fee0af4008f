import { setTimeout as delay } from 'node:timers/promises';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import type { X509Source } from '@neural-hive/security/spiffe';
import { z } from 'zod';
import { EXIT, Failure } from '../failure.ts';
import { SpiffeHttpClient } from './spiffe-http.ts';

const ticketView = z.object({
  id: z.string(),
  taskId: z.string(),
  type: z.string(),
  status: z.string(),
  attempt: z.int(),
  worker: z.string().nullable(),
  spiffeId: z.string().nullable(),
  durationMs: z.number().nullable(),
  compensates: z.string().nullable(),
  output: z.record(z.string(), z.string()),
  outputReference: z.string().nullable(),
  error: z.object({ class: z.string(), message: z.string(), logs: z.array(z.string()) }).nullable(),
});

const planView = z.object({
  id: z.string(),
  status: z.string(),
  final: z.boolean(),
  submittedBy: z.string(),
  decision: z.string(),
  paused: z.boolean(),
  approval: z.looseObject({}),
  failure: z.looseObject({ message: z.string() }).nullable(),
  tickets: z.array(ticketView),
});
export type PlanView = z.infer<typeof planView>;

const planList = z.object({
  plans: z.array(
    z.object({
      id: z.string(),
      status: z.string(),
      final: z.boolean(),
      submittedBy: z.string(),
      submittedAtMs: z.number(),
    }),
  ),
});

const deadLetter = z.object({
  ticketId: z.string(),
  planId: z.string(),
  taskId: z.string(),
  taskType: z.string(),
  compensates: z.string().nullable(),
  errorClass: z.string(),
  errorMessage: z.string(),
  errorLogs: z.array(z.string()),
  attempts: z.int(),
  atMs: z.number(),
  retriedAs: z.string().nullable(),
  retriedBy: z.string().nullable(),
});
export type DeadLetter = z.infer<typeof deadLetter>;

const deadLetterList = z.object({ deadLetters: z.array(deadLetter) });
const deadLetterRetry = z.object({ retriedAs: z.string(), plan: planView });

/** What a person may want of a plan. */
export type PlanVerb = 'approve' | 'reject' | 'cancel' | 'pause' | 'resume';

const progressLine = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('plan'),
    seq: z.int(),
    status: z.string(),
    final: z.boolean(),
    message: z.string().nullable(),
  }),
  z.object({
    type: z.literal('ticket'),
    seq: z.int(),
    ticketId: z.string(),
    taskId: z.string(),
    taskType: z.string(),
    status: z.string(),
    step: z.string(),
    attempt: z.int(),
    worker: z.string().nullable(),
    durationMs: z.number().nullable(),
    compensates: z.string().nullable(),
    message: z.string().nullable(),
  }),
]);
export type ProgressLine = z.infer<typeof progressLine>;

const RECONNECT_MS = 200;
const BROKEN_LIMIT_MS = 15_000;

/** The orchestrator's HTTP API, called with the identity of the caller. */
export class OrchestratorClient {
  readonly #http: SpiffeHttpClient;

  constructor(options: { identity: X509Source; port: number }) {
    this.#http = new SpiffeHttpClient({ ...options, spiffeId: SPIFFE_IDS.orchestrator, what: 'The orchestrator' });
  }

  submit(plan: unknown): Promise<PlanView> {
    return this.#http.json('POST', '/api/v1/plans', planView, plan);
  }

  show(id: string): Promise<PlanView> {
    return this.#http.json('GET', planPath(id), planView);
  }

  async list(query: Readonly<Record<string, string>>): Promise<z.infer<typeof planList>['plans']> {
    return (await this.#http.json('GET', `/api/v1/plans?${new URLSearchParams(query)}`, planList)).plans;
  }

  /** `reason`: kept in the audit trail; not for pausing and resuming. */
  decide(id: string, verb: PlanVerb, reason?: string): Promise<PlanView> {
    const body = verb === 'cancel' ? { reason } : { comment: reason };
    return this.#http.json('POST', `${planPath(id)}/${verb}`, planView, reason === undefined ? {} : body);
  }

  /** Tickets that were given up, the newest first. */
  async deadLetters(query: Readonly<Record<string, string>>): Promise<readonly DeadLetter[]> {
    const path = `/api/v1/dead-letters?${new URLSearchParams(query)}`;
    return (await this.#http.json('GET', path, deadLetterList)).deadLetters;
  }

  deadLetter(ticketId: string): Promise<DeadLetter> {
    return this.#http.json('GET', `/api/v1/dead-letters/${encodeURIComponent(ticketId)}`, deadLetter);
  }

  retryDeadLetter(ticketId: string): Promise<z.infer<typeof deadLetterRetry>> {
    const path = `/api/v1/dead-letters/${encodeURIComponent(ticketId)}/retry`;
    return this.#http.json('POST', path, deadLetterRetry, {});
  }

  /**
   * What happens to the plan, from its beginning until it is final. When the stream breaks, since the orchestrator is
   * started again, it goes on where it was; it fails once that has not worked for 15 s.
   */
  async *progress(id: string, signal?: AbortSignal): AsyncGenerator<ProgressLine> {
    let after = 0;
    let brokenSinceMs: number | undefined;
    for (;;) {
      try {
        for await (const line of this.#http.lines(`${planPath(id)}/events?after=${after}`, signal)) {
          brokenSinceMs = undefined;
          const parsed = progressLine.safeParse(line);
          if (!parsed.success) continue;
          after = parsed.data.seq;
          yield parsed.data;
          if (parsed.data.type === 'plan' && parsed.data.final) return;
        }
      } catch (error) {
        const refused = error instanceof Failure && error.exitCode !== EXIT.environment;
        if (refused || signal?.aborted) throw error;
        brokenSinceMs ??= performance.now();
        if (performance.now() - brokenSinceMs > BROKEN_LIMIT_MS) throw error;
      }
      await delay(RECONNECT_MS, undefined, { signal });
    }
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}

function planPath(id: string): string {
  return `/api/v1/plans/${encodeURIComponent(id)}`;
}
