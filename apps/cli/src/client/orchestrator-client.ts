import { SPIFFE_IDS } from '@neural-hive/contracts';
import type { X509Source } from '@neural-hive/security/spiffe';
import { z } from 'zod';
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
  error: z.object({ class: z.string(), message: z.string() }).nullable(),
});

const planView = z.object({
  id: z.string(),
  status: z.string(),
  final: z.boolean(),
  submittedBy: z.string(),
  decision: z.string(),
  approval: z.looseObject({}),
  failure: z.looseObject({ message: z.string() }).nullable(),
  tickets: z.array(ticketView),
});
export type PlanView = z.infer<typeof planView>;

const progressLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('plan'), status: z.string(), final: z.boolean(), message: z.string().nullable() }),
  z.object({
    type: z.literal('ticket'),
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

  decide(id: string, verb: 'approve' | 'reject' | 'cancel', reason?: string): Promise<PlanView> {
    const body = verb === 'cancel' ? { reason } : { comment: reason };
    return this.#http.json('POST', `${planPath(id)}/${verb}`, planView, reason === undefined ? {} : body);
  }

  /** What happens to the plan, from its beginning until it is final. Goes on where it was when the stream breaks. */
  async *progress(id: string, signal?: AbortSignal): AsyncGenerator<ProgressLine> {
    for await (const line of this.#http.lines(`${planPath(id)}/events?after=0`, signal)) {
      const parsed = progressLine.safeParse(line);
      if (!parsed.success) continue;
      yield parsed.data;
      if (parsed.data.type === 'plan' && parsed.data.final) return;
    }
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}

function planPath(id: string): string {
  return `/api/v1/plans/${encodeURIComponent(id)}`;
}
