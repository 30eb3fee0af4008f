import {
  type ClaimAnswer,
  type ClaimRequest,
  claimAnswer,
  type HeartbeatAnswer,
  heartbeatAnswer,
  type ReleaseAnswer,
  releaseAnswer,
  TICKET_PATHS,
} from '@neural-hive/contracts';
import { type Clock, fullJitterMs, messageOf, type Random, sleep, systemClock } from '@neural-hive/security/common';
import { parseStrictJson } from '@neural-hive/security/encoding';
import { type Dispatcher, request } from 'undici';
import type { z } from 'zod';
import { TicketClaimError } from './ticket-claim-error.ts';

export type TicketCall = 'claim' | 'heartbeat' | 'release';

export interface TicketClaimsOptions {
  /** The orchestrator's API: an `https` origin. */
  readonly url: string;
  /** Shows who calls, and goes to the orchestrator only. */
  readonly dispatcher: Dispatcher;
  readonly onCall?: (call: TicketCall, status: 'success' | 'failure') => void;
  /** Of one call with its repetitions. In milliseconds; default 2 000, so that a heartbeat fits into a holder's silence. */
  readonly limitMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const BACKOFF = { baseMs: 100, capMs: 1_000 } as const;
const MOST_ANSWER_BYTES = 16_384;
/** Said by a server, or something before it, that will answer later. */
const COME_AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Asks the orchestrator whose a ticket is. Every failure is a `TicketClaimError`. */
export class TicketClaims {
  readonly #options: TicketClaimsOptions;
  readonly #clock: Clock;

  constructor(options: TicketClaimsOptions) {
    if (new URL(options.url).protocol !== 'https:') throw new RangeError('url: must be https');
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  claim(ticketId: string, body: ClaimRequest): Promise<ClaimAnswer> {
    return this.#ask('claim', ticketId, body, claimAnswer);
  }

  heartbeat(ticketId: string, fencing: number): Promise<HeartbeatAnswer> {
    return this.#ask('heartbeat', ticketId, { fencing_token: fencing }, heartbeatAnswer);
  }

  release(ticketId: string, fencing: number): Promise<ReleaseAnswer> {
    return this.#ask('release', ticketId, { fencing_token: fencing }, releaseAnswer);
  }

  /** Repeats while the orchestrator is away, until the limit. */
  async #ask<T>(call: TicketCall, ticketId: string, body: object, schema: z.ZodType<T>): Promise<T> {
    const { limitMs = 2_000, random = Math.random, onCall } = this.#options;
    const endMs = this.#clock.monotonicMs() + limitMs;
    for (let attempt = 0; ; attempt += 1) {
      const leftMs = endMs - this.#clock.monotonicMs();
      try {
        const answer = await this.#once(call, ticketId, body, schema, leftMs);
        onCall?.(call, 'success');
        return answer;
      } catch (error) {
        onCall?.(call, 'failure');
        const pauseMs = fullJitterMs(attempt, { ...BACKOFF, random });
        const worthIt = error instanceof TicketClaimError && error.code === 'unavailable';
        if (!worthIt || this.#clock.monotonicMs() + pauseMs >= endMs) throw error;
        await sleep(pauseMs, { clock: this.#clock });
      }
    }
  }

  async #once<T>(call: TicketCall, ticketId: string, body: object, schema: z.ZodType<T>, limitMs: number): Promise<T> {
    const { url, dispatcher } = this.#options;
    const what = `Asking the orchestrator (${call})`;
    const over = new AbortController();
    const timer = this.#clock.setTimer(limitMs, () =>
      over.abort(new Error(`no answer within ${Math.round(limitMs)} ms`)),
    );
    let status: number;
    let text: string;
    try {
      const response = await request(new URL(TICKET_PATHS[call](ticketId), url), {
        dispatcher,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: over.signal,
      });
      status = response.statusCode;
      text = await read(response.body);
    } catch (error) {
      throw new TicketClaimError('unavailable', `${what}: ${messageOf(error)}`, { cause: error });
    } finally {
      timer.cancel();
    }
    if (status !== 200) {
      const code = COME_AGAIN.has(status) ? 'unavailable' : 'refused';
      throw new TicketClaimError(code, `${what}: it answers ${status}`);
    }
    try {
      return schema.parse(parseStrictJson(text));
    } catch (error) {
      throw new TicketClaimError('bad-answer', `${what}: the answer is none of the contract`, { cause: error });
    }
  }
}

async function read(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_ANSWER_BYTES) {
      body.destroy();
      throw new Error('the answer is too long');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
