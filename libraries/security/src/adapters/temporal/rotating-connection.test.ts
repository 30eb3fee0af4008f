import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { RotatingConnection, rotatingConnection } from './index.ts';
import { FakeConnection, FakeServer, fakeLogins, until } from './testing/fake-connection.ts';

async function stage(options: { namespace?: string } = {}) {
  const server = new FakeServer();
  const { clock, credential } = await fakeLogins((text) => text);
  const connect = async (login: string) => new FakeConnection(server, login);
  const connection = await rotatingConnection(credential, connect, { clock, ...options });
  return { server, clock, credential, connection, connect };
}

describe('a rotation', () => {
  test('lets a call end on the connection that it began on, and sends new ones on the new connection', async () => {
    const { server, credential, connection } = await stage();
    const { workflowService } = connection;
    const first = workflowService.startWorkflowExecution({ id: 1 });
    const rotation = credential.rotate();
    await until(() => connection.generation === 2);
    const second = workflowService.startWorkflowExecution({ id: 2 });
    await until(() => server.calls.length === 2);
    expect(server.calls.map(({ login, request }) => [login, request])).toEqual([
      ['login1', { id: 1 }],
      ['login2', { id: 2 }],
    ]);
    expect(server.log).not.toContain('close login1');
    server.calls[0]?.answer('one');
    expect(await first).toBe('one');
    expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
    expect(server.log.at(-1)).toBe('close login1');
    server.calls[1]?.answer('two');
    expect([await second, [...connection.uses()]]).toEqual(['two', [[2, 0]]]);
  });

  test('asks at the deadline again for what only reads, and rejects the rest', async () => {
    const { server, clock, credential, connection } = await stage();
    const { workflowService } = connection;
    const read = workflowService.getWorkflowExecutionHistory({});
    const tasks = workflowService.pollWorkflowTaskQueue({});
    const write = workflowService.startWorkflowExecution({});
    for (const refused of [tasks, write]) refused.catch(() => undefined);
    const rotation = credential.rotate();
    await until(() => connection.generation === 2);
    await clock.advance(15_000);
    expect(await rotation).toMatchObject({ ok: true, terminated: 3 });
    for (const refused of [tasks, write]) {
      await expect(refused).rejects.toMatchObject({ code: 'session-terminated', retryable: true });
    }
    // A connection that is closed under a call of its own takes the process with it.
    expect(server.log.slice(-4)).toEqual([
      'cancelled login1 getWorkflowExecutionHistory',
      'cancelled login1 pollWorkflowTaskQueue',
      'cancelled login1 startWorkflowExecution',
      'close login1',
    ]);
    await until(() => server.calls.length === 4);
    expect(server.calls[3]).toMatchObject({ login: 'login2', method: 'getWorkflowExecutionHistory' });
    server.calls[3]?.answer('history');
    expect(await read).toBe('history');
  });

  test('that the server does not let in leaves the old connection in use and none behind', async () => {
    const { server, credential, connection } = await stage({ namespace: 'orders' });
    expect(server.log).toEqual(['open login1', 'probe orders Bearer login1']);
    server.refused.add('Bearer login2');
    expect(await credential.rotate()).toMatchObject({ ok: false, error: { code: 'probe-failed' } });
    expect(server.log.slice(-2)).toEqual(['probe orders Bearer login2', 'close login2']);
    expect(connection.generation).toBe(1);
    expect(await credential.rotate()).toMatchObject({ ok: true });
  });
});

test('deadline, metadata and signal of a scope hold for the connection that a call goes to', async () => {
  const { server, credential, connection } = await stage();
  const stop = new AbortController();
  const scoped = connection.withMetadata({ a: '1' }, () =>
    connection.withDeadline(5, () =>
      connection.withAbortSignal(stop.signal, async () => {
        await credential.rotate();
        return connection.withMetadata({ b: '2' }, () => connection.operatorService.listSearchAttributes({}));
      }),
    ),
  );
  await until(() => server.calls.length === 1);
  expect(server.calls[0]).toMatchObject({ login: 'login2', deadline: 5, metadata: { a: '1', b: '2' } });
  stop.abort();
  await expect(scoped).rejects.toThrow('CANCELLED');
  connection.healthService.check({}).catch(() => undefined);
  await until(() => server.calls.length === 2);
  expect(server.calls[1]).not.toHaveProperty('deadline');
  expect(server.calls[1]).not.toHaveProperty('metadata');
});

test('the services are those of the driver: methods with a callback, properties, and no promises themselves', async () => {
  const { server, connection } = await stage();
  expect(connection).toBeInstanceOf(RotatingConnection);
  const service = connection.workflowService as unknown as Record<string, (...args: unknown[]) => unknown>;
  const answered = new Promise((resolve) => {
    service.startWorkflowExecution?.({}, (error: unknown, answer: unknown) => resolve([error, answer]));
  });
  await until(() => server.calls.length === 1);
  server.calls[0]?.answer('started');
  expect(await answered).toEqual([null, 'started']);
  expect(connection.workflowService.version).toBe(1);
  expect(await connection.workflowService).toBe(connection.workflowService);
  expect(service.startWorkflowExecution).toBe(service.startWorkflowExecution);
  expect(inspect(connection, { depth: 9 })).not.toContain('login1');
  await connection.ensureConnected();
  expect(server.log.at(-1)).toBe('ensure login1');
});

test('closing waits for the calls under way, destroying ends them', async () => {
  const first = await stage();
  const call = first.connection.workflowService.startWorkflowExecution({});
  await until(() => first.server.calls.length === 1);
  const closed = first.connection.close();
  expect(first.server.log).not.toContain('close login1');
  first.server.calls[0]?.answer('done');
  expect(await call).toBe('done');
  await closed;
  expect(first.server.log.at(-1)).toBe('close login1');

  const second = await stage();
  const read = second.connection.workflowService.getWorkflowExecutionHistory({});
  read.catch(() => undefined);
  await until(() => second.server.calls.length === 1);
  await second.connection.destroy();
  await expect(read).rejects.toMatchObject({ code: 'closed' });
});
