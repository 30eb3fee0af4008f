import { type ExecutionTicket, executionResult } from '@neural-hive/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ClaimedTicket } from '../domain/claimed-ticket.ts';
import { buildResult, buildUnreadable, type Publisher } from '../domain/execution-result.ts';
import type { ClaimRequest, TicketSource } from '../domain/ports.ts';
import { ticketOf } from './tickets.ts';

/** One worker's end of a transport. */
export interface StagedSource {
  readonly source: TicketSource;
  /** Resolves when so many tickets were brought here that could be asked for. */
  brought(count: number): Promise<void>;
  /** Its process is stopped with everything it holds, and may go on later. */
  freeze(): Promise<void>;
  /** A clean end. */
  close(): Promise<void>;
}

export interface TransportStage {
  /** Nothing that earlier tests published is wanted any more. */
  clear(): Promise<void>;
  open(agentId: string): Promise<StagedSource>;
  publish(ticket: ExecutionTicket): Promise<void>;
  /** A message in the ticket's place that is none. */
  publishBroken(ticket: Record<string, unknown>): Promise<void>;
  cancel(ticketId: string): Promise<void>;
  /** Those that count, oldest first. */
  results(ticketId: string): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

const LIMIT = { timeout: 60_000 };
const publisher: Publisher = { agentId: 'agent', spiffeId: 'spiffe://neural-hive.local/ns/a/sa/b' };

/** What every `TicketSource` does, whatever carries the tickets. */
export function ticketSourceContract(name: string, open: () => Promise<TransportStage>): void {
  describe(`${name} as a ticket source`, () => {
    let stage: TransportStage;
    const staged: StagedSource[] = [];
    let number = 0;

    beforeAll(async () => {
      stage = await open();
    }, 240_000);
    beforeEach(() => stage.clear());
    afterEach(async () => {
      for (const one of staged.splice(0)) await one.close();
    }, 60_000);
    afterAll(() => stage?.close(), 60_000);

    const worker = async (): Promise<
      StagedSource & { claim(request?: Partial<ClaimRequest>): Promise<ClaimedTicket[]> }
    > => {
      number += 1;
      const agentId = `agent-${number}`;
      const one = await stage.open(agentId);
      staged.push(one);
      return {
        ...one,
        claim: async (request = {}) => {
          const { tickets } = await one.source.claim({ types: ['BUILD', 'QUERY'], agentId, limit: 10, ...request });
          return [...tickets];
        },
      };
    };
    const fresh = (fields: Partial<ExecutionTicket> = {}): ExecutionTicket => {
      number += 1;
      return ticketOf({ task_type: 'BUILD', ticket_id: `plan-1.task-${number}`, ...fields });
    };
    const resultOf = (claimed: ClaimedTicket) =>
      buildResult(claimed, publisher, {
        outcome: { output: { a: 'b' } },
        reference: undefined,
        durationMs: 1,
        nowMs: 1,
      });
    const finish = (source: TicketSource, claimed: ClaimedTicket) =>
      source.finish(claimed.ticket.ticket_id, claimed.fencing, resultOf(claimed));
    const results = (id: string) => expect.poll(() => stage.results(id), LIMIT);
    /** Asks until it is given the ticket. */
    const waitFor = async (one: { claim(): Promise<ClaimedTicket[]> }, id: string): Promise<ClaimedTicket> => {
      let found: ClaimedTicket | undefined;
      await expect
        .poll(async () => {
          found ??= (await one.claim()).find(({ ticket }) => ticket.ticket_id === id);
          return found !== undefined;
        }, LIMIT)
        .toBe(true);
      return found as ClaimedTicket;
    };

    test('a ticket goes to one worker, whose result counts once, and to nobody afterwards', async () => {
      const [a, b] = [await worker(), await worker()];
      const ticket = fresh();
      let announced = false;
      for (const { source } of [a, b]) source.onReady(() => (announced = true));
      await stage.publish(ticket);
      let taken: { by: typeof a; claimed: ClaimedTicket }[] = [];
      await expect
        .poll(async () => {
          for (const by of [a, b]) taken = [...taken, ...(await by.claim()).map((claimed) => ({ by, claimed }))];
          return taken.length;
        }, LIMIT)
        .toBe(1);
      const [{ by, claimed }] = taken as [(typeof taken)[0]];
      expect(claimed).toMatchObject({ ticket, attempt: 1 });
      expect(claimed.fencing).toBeGreaterThan(0);
      expect(await by.source.heartbeat(ticket.ticket_id, claimed.fencing)).toBe(true);
      expect(await by.source.heartbeat(ticket.ticket_id, claimed.fencing + 1)).toBe(false);
      expect(await finish(by.source, claimed)).toBe(true);
      await results(ticket.ticket_id).toEqual([resultOf(claimed)]);
      expect([await a.claim(), await b.claim(), announced]).toEqual([[], [], true]);
    }, 120_000);

    test('the most urgent ticket comes first, and no more than were asked for, of no other type', async () => {
      const a = await worker();
      const sla = (deadline: number) => ({ sla: { deadline, timeout_ms: 1, max_retries: 0 } });
      const now = Date.now();
      const [late, soon, critical] = [
        fresh(sla(now + 900_000)),
        fresh(sla(now + 100_000)),
        fresh({ priority: 'CRITICAL', ...sla(now + 990_000) }),
      ];
      const other = fresh({ task_type: 'QUERY' });
      for (const ticket of [late, soon, critical, other]) await stage.publish(ticket);
      await a.brought(4);
      const ids = (claimed: readonly ClaimedTicket[]) => claimed.map(({ ticket }) => ticket.ticket_id).sort();
      expect(ids(await a.claim({ types: ['BUILD'], limit: 2 }))).toEqual([critical.ticket_id, soon.ticket_id].sort());
      expect(ids(await a.claim({ types: ['BUILD'] }))).toEqual([late.ticket_id]);
      expect(ids(await a.claim({ types: ['QUERY'] }))).toEqual([other.ticket_id]);
    }, 120_000);

    test('a ticket that is handed back is there at once, under a higher token, and the old one is worth nothing', async () => {
      const a = await worker();
      const ticket = fresh();
      await stage.publish(ticket);
      const first = await waitFor(a, ticket.ticket_id);
      expect(await a.source.release(ticket.ticket_id, first.fencing)).toBe(true);
      expect(await a.source.release(ticket.ticket_id, first.fencing)).toBe(false);
      const second = await waitFor(a, ticket.ticket_id);
      expect(second.fencing).toBeGreaterThan(first.fencing);
      expect(second.attempt).toBe(2);
      expect(await a.source.heartbeat(ticket.ticket_id, first.fencing)).toBe(false);
      expect(await finish(a.source, first)).toBe(false);
      expect(await finish(a.source, second)).toBe(true);
      await results(ticket.ticket_id).toEqual([resultOf(second)]);
    }, 120_000);

    test('what a worker hands back when it ends goes to another one', async () => {
      const [a, b] = [await worker(), await worker()];
      const tickets = Array.from({ length: 8 }, () => fresh());
      for (const ticket of tickets) await stage.publish(ticket);
      const held = new Map<string, ClaimedTicket>();
      await expect
        .poll(async () => {
          for (const claimed of [...(await a.claim())]) held.set(claimed.ticket.ticket_id, claimed);
          return held.size;
        }, LIMIT)
        .toBeGreaterThan(0);
      for (const { ticket, fencing } of held.values()) {
        expect(await a.source.release(ticket.ticket_id, fencing)).toBe(true);
      }
      await a.close();
      const done = new Set<string>();
      await expect
        .poll(async () => {
          for (const claimed of await b.claim()) {
            const { ticket_id: id } = claimed.ticket;
            expect(claimed.fencing).toBeGreaterThan(held.get(id)?.fencing ?? 0);
            expect(await finish(b.source, claimed)).toBe(true);
            done.add(id);
          }
          return done.size;
        }, LIMIT)
        .toBe(tickets.length);
      for (const { ticket_id: id } of tickets) await results(id).toHaveLength(1);
    }, 120_000);

    test('a worker that is stopped with a ticket loses it to another, under a higher token, and its late result is discarded', async () => {
      const a = await worker();
      const ticket = fresh();
      await stage.publish(ticket);
      const first = await waitFor(a, ticket.ticket_id);
      await a.freeze();
      const b = await worker();
      const second = await waitFor(b, ticket.ticket_id);
      expect(second.fencing).toBeGreaterThan(first.fencing);
      expect(second.attempt).toBe(2);
      // It wakes up and knows nothing of all this.
      expect(await finish(a.source, first)).toBe(false);
      expect(await finish(b.source, second)).toBe(true);
      await results(ticket.ticket_id).toEqual([resultOf(second)]);
    }, 120_000);

    test('a ticket that is cancelled is told to its holder, and goes to nobody else', async () => {
      const a = await worker();
      const ticket = fresh();
      await stage.publish(ticket);
      const claimed = await waitFor(a, ticket.ticket_id);
      const told: string[] = [];
      a.source.onCancelled((id) => told.push(id));
      await stage.cancel(ticket.ticket_id);
      const beat = () => a.source.heartbeat(ticket.ticket_id, claimed.fencing);
      await expect.poll(beat, LIMIT).toBe(false);
      await expect.poll(() => told, LIMIT).toEqual([ticket.ticket_id]);
      expect(await finish(a.source, claimed)).toBe(false);
      expect([await stage.results(ticket.ticket_id), await a.claim()]).toEqual([[], []]);
    }, 120_000);

    test('a message in a ticket’s place that is none is answered as such, once', async () => {
      const a = await worker();
      const { priority: _, ...broken } = fresh();
      await stage.publishBroken(broken);
      let unreadable: Awaited<ReturnType<TicketSource['claim']>>['unreadable'] = [];
      const ask = () => a.source.claim({ types: ['BUILD'], agentId: 'agent', limit: 10 });
      await expect
        .poll(async () => {
          ({ unreadable } = await ask());
          return unreadable.length;
        }, LIMIT)
        .toBe(1);
      const [one] = unreadable as [(typeof unreadable)[0]];
      expect(one).toMatchObject({ ticketId: broken.ticket_id, planId: broken.plan_id });
      expect(one.problem).toContain('priority');
      const said = buildUnreadable(one, publisher, 1);
      expect(await a.source.finish(one.ticketId, one.fencing, said)).toBe(true);
      await results(one.ticketId).toEqual([executionResult.parse(said)]);
      expect((await ask()).unreadable).toEqual([]);
    }, 120_000);
  });
}
