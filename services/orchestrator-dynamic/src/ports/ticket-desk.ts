import type { ClaimAnswer, ExecutionTicket, HeartbeatAnswer, ReleaseAnswer } from '@neural-hive/contracts';
import type { PlanEvent } from '../domain/index.ts';

export interface Claimant {
  /** Names the process among the workers. */
  readonly agentId: string;
  /** SPIFFE ID of the worker. */
  readonly spiffeId: string;
}

/** What a worker does with a ticket over the API. Who is not its holder changes nothing. */
export interface TicketClaims {
  /** `retryCount`: the attempt that the worker was told of. */
  claim(ticketId: string, claimant: Claimant & { readonly retryCount: number }): Promise<ClaimAnswer>;
  heartbeat(ticketId: string, holder: { fencingToken: number; spiffeId: string }): Promise<HeartbeatAnswer>;
  release(ticketId: string, holder: { fencingToken: number; spiffeId: string }): Promise<ReleaseAnswer>;
}

/** An event of a plan that the engine has to be told of. */
export interface NewsOfPlan {
  readonly planId: string;
  readonly event: PlanEvent;
}

/** Decides who holds a ticket. Each attempt has its turn in `queued → claimed → finished`; any may become `cancelled`. */
export interface TicketDesk {
  /** Lets one attempt be claimed. False when it was claimed, finished or cancelled already. */
  offer(ticket: ExecutionTicket): Promise<boolean>;
  /**
   * Takes a ticket from the queue, and from its holder when `claimed`. What has happened meanwhile, a result or a claim
   * that was not known, is answered and stands.
   */
  cancel(ticketId: string, options: { claimed: boolean }): Promise<PlanEvent | undefined>;
  /** Keeps the moved deadline of a ticket that has not ended. */
  postpone(ticket: ExecutionTicket): Promise<void>;
  /** Nobody claims a ticket of the plan until it is resumed. */
  pause(planId: string): Promise<void>;
  resume(planId: string): Promise<void>;
  /** The holder and its claim, for the engine; undefined when the claim was not granted. */
  claim(
    ticketId: string,
    claimant: Claimant & { readonly retryCount: number },
  ): Promise<{ readonly answer: ClaimAnswer; readonly news?: NewsOfPlan }>;
  heartbeat: TicketClaims['heartbeat'];
  release: TicketClaims['release'];
  /**
   * Takes the result of the newest claim, once or again. `discarded`: the claim is not the newest, or nobody wants the
   * ticket any more. `unknown`: there is no such ticket.
   */
  finish(ticketId: string, fencingToken: number, result: unknown): Promise<NewsOfPlan | 'discarded' | 'unknown'>;
}
