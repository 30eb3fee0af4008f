import { expect, test } from 'vitest';
import { TicketFailure } from '../domain/failure.ts';
import type { TicketSource } from '../domain/ports.ts';
import { ticketOf } from '../testing/tickets.ts';
import { type Execute, endless, workerStage } from '../testing/worker-stage.ts';

const stage = workerStage();
const { worker, publish, result } = stage;

test('a ticket is executed and its result is published', async () => {
  const made = worker({ BUILD: async () => ({ output: { artifact: 'a' }, logs: ['built'] }) });
  await publish({ task_type: 'BUILD' });
  await result().toMatchObject({
    status: 'COMPLETED',
    fencing_token: expect.any(Number),
    result: { success: true, output: { artifact: 'a' }, logs: ['built'] },
    agent_id: 'agent-1',
  });
  await expect.poll(() => made.telemetry()).toMatchObject({ totalExecutions: 1, failedExecutions: 0, active: 0 });
});

test('announced tickets are taken without waiting for the poll', async () => {
  const begun = new Map<string, number>();
  worker({
    BUILD: async ({ ticket }) => {
      begun.set(ticket.ticket_id, performance.now());
      return { output: {} };
    },
  });
  const waitedMs: number[] = [];
  for (let index = 0; index < 9; index += 1) {
    const id = `${stage.ticketId}-${index}`;
    await publish({ task_type: 'BUILD', ticket_id: id });
    const publishedMs = performance.now();
    await result(id).toMatchObject({ status: 'COMPLETED' });
    waitedMs.push((begun.get(id) ?? Number.POSITIVE_INFINITY) - publishedMs);
  }
  // By the poll alone half of them would wait for over 100 ms; some may, on a busy machine.
  expect(waitedMs.sort((a, b) => a - b)[2]).toBeLessThan(100);
});

test('a failure says its class', async () => {
  worker({
    TEST: () => Promise.reject(new TicketFailure('execution', '1 of 2 tests failed', { output: { failed: '1' } })),
  });
  await publish({ task_type: 'TEST' });
  await result().toMatchObject({ status: 'FAILED', error_class: 'execution', result: { output: { failed: '1' } } });
});

test('a type without an executor is left to others', async () => {
  worker({ BUILD: async () => ({ output: {} }) });
  await publish({ task_type: 'DEPLOY' });
  const probe = `${stage.ticketId}-probe`;
  await stage.database.publish(ticketOf({ ticket_id: probe, task_type: 'BUILD' }));
  await result(probe).toMatchObject({ status: 'COMPLETED' });
  expect(await stage.database.result(stage.ticketId)).toBeUndefined();
  await stage.database.cancel(stage.ticketId);
});

test('no more of one type run at the same time than allowed, the urgent ones first', async () => {
  const order: string[] = [];
  let running = 0;
  let most = 0;
  for (const [id, priority] of [
    ['low', 'LOW'],
    ['high', 'HIGH'],
    ['normal', 'NORMAL'],
  ] as const) {
    await stage.database.publish(ticketOf({ ticket_id: `${stage.ticketId}-${id}`, task_type: 'BUILD', priority }));
  }
  worker(
    {
      BUILD: async ({ ticket }) => {
        running += 1;
        most = Math.max(most, running);
        order.push(ticket.priority);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running -= 1;
        return { output: {} };
      },
    },
    { capacity: { total: 4, byType: { BUILD: 1 } } },
  );
  await result(`${stage.ticketId}-low`).toMatchObject({ status: 'COMPLETED' });
  expect(order).toEqual(['HIGH', 'NORMAL', 'LOW']);
  expect(most).toBe(1);
});

test('item 39: a cancelled ticket stops and publishes nothing', async () => {
  const { execute, started, aborted } = endless();
  worker({ BUILD: execute });
  await publish({ task_type: 'BUILD' });
  await started;
  await stage.database.cancel(stage.ticketId);
  await aborted;
  expect(await stage.database.result(stage.ticketId)).toBeUndefined();
});

test('an attempt that another has overtaken stops, and its result is not taken', async () => {
  const { execute, started, aborted } = endless();
  let finished: boolean | undefined;
  worker(
    { BUILD: (execution) => execute(execution).catch(() => ({ output: { late: 'yes' } })) },
    {
      instead: (source) => ({
        finish: async (...args: Parameters<TicketSource['finish']>) => (finished = await source.finish(...args)),
      }),
    },
  );
  await publish({ task_type: 'BUILD' });
  await started;
  await stage.database.admin.query(
    "update tickets.ticket set fencing_token = nextval('tickets.fencing_token') where ticket_id = $1",
    [stage.ticketId],
  );
  await aborted;
  expect(finished).toBeUndefined();
  expect(await stage.database.result(stage.ticketId)).toBeUndefined();
  await stage.database.cancel(stage.ticketId);
});

test('an attempt that cannot be heard stops before its ticket is taken over', async () => {
  const { execute, started, aborted } = endless();
  let startedMs = 0;
  worker(
    { BUILD: execute },
    {
      instead: () => ({
        heartbeat: () => Promise.reject(new Error('no route')),
      }),
    },
  );
  await publish({ task_type: 'BUILD' });
  await started;
  startedMs = performance.now();
  await aborted;
  // It stops 3 s after the last heartbeat, half a second before another may have its ticket; the rest is for a busy machine.
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  await stage.database.cancel(stage.ticketId);
});

test('item 43: a worker that ends lets its tickets finish within the grace, and hands back the rest at once', async () => {
  const { execute, started } = endless();
  const first = worker({ BUILD: execute, TEST: async () => ({ output: {} }) });
  await publish({ task_type: 'BUILD' });
  await started;
  await first.drain(50);
  const { rows } = await stage.database.admin.query('select state from tickets.ticket where ticket_id = $1', [
    stage.ticketId,
  ]);
  expect(rows).toEqual([{ state: 'queued' }]);
  worker({ BUILD: async () => ({ output: { by: 'second' } }) }, { agentId: 'agent-2' });
  await result().toMatchObject({ status: 'COMPLETED', agent_id: 'agent-2' });
});

test('a worker that is full asks for no more, whatever waits, until a ticket ends', async () => {
  const { execute, started } = endless();
  const limits: number[] = [];
  const full = worker(
    { BUILD: execute },
    {
      capacity: { total: 1, byType: {} },
      instead: (source) => ({
        claim: (request: Parameters<TicketSource['claim']>[0]) => {
          limits.push(request.limit);
          return source.claim(request);
        },
      }),
    },
  );
  await publish({ task_type: 'BUILD', priority: 'CRITICAL' });
  await started;
  const asked = limits.length;
  const waiting = `${stage.ticketId}-waiting`;
  await stage.database.publish(ticketOf({ ticket_id: waiting, task_type: 'BUILD' }));
  // Another worker that has a place takes it; the full one was told of it just the same.
  worker({ BUILD: async () => ({ output: {} }) }, { agentId: 'agent-2' });
  await result(waiting).toMatchObject({ status: 'COMPLETED', agent_id: 'agent-2' });
  expect([limits.length, Math.max(...limits)]).toEqual([asked, 1]);
  expect(full.telemetry()).toMatchObject({ active: 1, capacity: 1 });
  await stage.database.cancel(stage.ticketId);
});

test('of two tickets of one priority the one whose deadline is nearer is taken first', async () => {
  const order: string[] = [];
  for (const [name, deadline] of [
    ['late', 4_000_000_000_000],
    ['soon', 3_000_000_000_000],
  ] as const) {
    const sla = { deadline, timeout_ms: 20_000, max_retries: 0 };
    await stage.database.publish(ticketOf({ ticket_id: `${stage.ticketId}-${name}`, task_type: 'BUILD', sla }));
  }
  worker({
    BUILD: async ({ ticket }) => {
      order.push(ticket.ticket_id);
      return { output: {} };
    },
  });
  await result(`${stage.ticketId}-late`).toMatchObject({ status: 'COMPLETED' });
  await result(`${stage.ticketId}-soon`).toMatchObject({ status: 'COMPLETED' });
  expect(order).toEqual([`${stage.ticketId}-soon`, `${stage.ticketId}-late`]);
});

test('a result waits for the transport to take it, and the work is not done again', async () => {
  let failures = 3;
  let executed = 0;
  const execute: Execute = async () => {
    executed += 1;
    return { output: {} };
  };
  worker(
    { BUILD: execute },
    {
      instead: (source) => ({
        finish: (...args: Parameters<TicketSource['finish']>) => {
          failures -= 1;
          return failures >= 0 ? Promise.reject(new Error('starting up')) : source.finish(...args);
        },
      }),
    },
  );
  await publish({ task_type: 'BUILD' });
  await result().toMatchObject({ status: 'COMPLETED' });
  expect(executed).toBe(1);
});

test('a ticket whose deadline has passed is not begun', async () => {
  let begun = false;
  worker({
    BUILD: async () => {
      begun = true;
      return { output: {} };
    },
  });
  await publish({ task_type: 'BUILD', sla: { deadline: 1, timeout_ms: 1_000, max_retries: 0 } });
  await result().toMatchObject({ status: 'FAILED', error_class: 'timeout' });
  expect(begun).toBe(false);
});

test('what is no ticket is answered as such', async () => {
  worker({ BUILD: async () => ({ output: {} }) });
  const ticket = { ...ticketOf({ task_type: 'BUILD', ticket_id: stage.ticketId }), priority: 'URGENT' };
  await stage.database.admin.query('select tickets.publish(0, 1, $1)', [JSON.stringify(ticket)]);
  await result().toMatchObject({ status: 'FAILED', error_class: 'parameters', plan_id: 'plan-1' });
});

test.each([
  ['of an unknown schema version', { schema_version: 2 }],
  ['with wrong types', { parameters: 'none', sla: 7 }],
  ['of 2 MiB', { parameters: { text: 'x'.repeat(2 * 1024 * 1024) } }],
])('a ticket %s is refused for good, and the one behind it is executed', async (_, wrong) => {
  worker({ BUILD: async () => ({ output: {} }) });
  const good = `${stage.ticketId}.good`;
  const poison = { ...ticketOf({ task_type: 'BUILD', ticket_id: stage.ticketId, priority: 'CRITICAL' }), ...wrong };
  await stage.database.admin.query('select tickets.publish(0, 3, $1)', [
    JSON.stringify({ ...poison, sla: { deadline: 4_000_000_000_000, ...(poison.sla as object) } }),
  ]);
  await publish({ task_type: 'BUILD', ticket_id: good });
  await result(good).toMatchObject({ status: 'COMPLETED' });
  await result().toMatchObject({ status: 'FAILED', error_class: 'parameters' });
});

test('a refusal that cannot be sent does not cost the tickets that were claimed with it', async () => {
  const unreadable = { ticketId: 'unreadable', planId: 'plan', fencing: 1, problem: 'no ticket' };
  worker(
    { BUILD: async () => ({ output: {} }) },
    {
      instead: (source) => ({
        claim: async (...args: Parameters<TicketSource['claim']>) => {
          const claimed = await source.claim(...args);
          return claimed.tickets.length === 0 ? claimed : { ...claimed, unreadable: [unreadable] };
        },
        finish: (...args: Parameters<TicketSource['finish']>) =>
          args[0] === 'unreadable' ? Promise.reject(new Error('away')) : source.finish(...args),
      }),
    },
  );
  await publish({ task_type: 'BUILD' });
  await result().toMatchObject({ status: 'COMPLETED' });
});

test('a transport that fails for a while is asked again', async () => {
  let failures = 3;
  const made = worker(
    { BUILD: async () => ({ output: {} }) },
    {
      instead: (source) => ({
        claim: (...args: Parameters<TicketSource['claim']>) => {
          failures -= 1;
          return failures >= 0 ? Promise.reject(new Error('starting up')) : source.claim(...args);
        },
      }),
    },
  );
  await publish({ task_type: 'BUILD' });
  await expect.poll(() => made.connected).toBe(false);
  await result().toMatchObject({ status: 'COMPLETED' });
  await expect.poll(() => made.connected).toBe(true);
});
