import { expect, test } from 'vitest';
import { ticketOf } from '../../testing/tickets.ts';
import { type ArrivedTicket, TicketWindow } from './ticket-window.ts';

let offset = 0n;
function arrived(id: string, fields: Partial<Parameters<typeof ticketOf>[0]> = {}): ArrivedTicket {
  offset += 1n;
  const ticket = ticketOf({ task_type: 'BUILD', ticket_id: id, ...fields });
  const { plan_id: planId, task_type: type, retry_count: retryCount } = ticket;
  const place = { topic: 'topic', partition: 0, offset };
  return { place, type, ticketId: id, planId, retryCount, bytes: 1, content: { ticket } };
}

const ids = (tickets: readonly ArrivedTicket[]) => tickets.map(({ ticketId }) => ticketId);

test('the most urgent ticket is asked for first: by priority, then by deadline, then by age', () => {
  const window = new TicketWindow();
  const sla = (deadline: number) => ({ sla: { deadline, timeout_ms: 1, max_retries: 0 } });
  window.put(arrived('late', sla(9)));
  window.put(arrived('young', { ...sla(5), created_at: 2 }));
  window.put(arrived('old', { ...sla(5), created_at: 1 }));
  window.put(arrived('low', { priority: 'LOW', ...sla(1) }));
  window.put(arrived('critical', { priority: 'CRITICAL', ...sla(99) }));
  expect(ids(window.take(['BUILD'], 2, 0))).toEqual(['critical', 'old']);
  expect(ids(window.take(['BUILD'], 9, 0))).toEqual(['young', 'late', 'low']);
  expect(window.take(['BUILD'], 9, 0)).toEqual([]);
});

test('among tickets of one priority, the one on the longest path comes first where the publisher says so', () => {
  const window = new TicketWindow();
  const sla = (deadline: number) => ({ sla: { deadline, timeout_ms: 1, max_retries: 0 } });
  window.put({ ...arrived('short', sla(1)), rankMs: 20 });
  window.put({ ...arrived('long', sla(9)), rankMs: 10 });
  window.put({ ...arrived('critical', { priority: 'CRITICAL', ...sla(9) }), rankMs: 30 });
  expect(ids(window.take(['BUILD'], 3, 0))).toEqual(['critical', 'long', 'short']);
});

test('a message that is no ticket is answered before any ticket', () => {
  const window = new TicketWindow();
  const { content: _, ...place } = arrived('broken');
  window.put(arrived('critical', { priority: 'CRITICAL' }));
  window.put({ ...place, content: { problem: 'no priority' } });
  expect(ids(window.take(['BUILD'], 2, 0))).toEqual(['broken', 'critical']);
});

test('only types that there is a place for are asked for', () => {
  const window = new TicketWindow();
  window.put(arrived('build'));
  window.put(arrived('query', { task_type: 'QUERY' }));
  expect(ids(window.take(['QUERY'], 9, 0))).toEqual(['query']);
  expect([window.ready('BUILD', 0), window.ready('QUERY', 0)]).toEqual([1, 0]);
});

test('what somebody else has is not asked for before its time, and does not count as ready', () => {
  const window = new TicketWindow();
  window.put(arrived('held'), 1_000);
  expect([window.ready('BUILD', 999), window.take(['BUILD'], 1, 999)]).toEqual([0, []]);
  expect(window.ready('BUILD', 1_000)).toBe(1);
  expect(ids(window.take(['BUILD'], 1, 1_000))).toEqual(['held']);
});
