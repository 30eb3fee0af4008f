import { expect, test } from 'vitest';
import { rotatingNativeConnection } from './index.ts';
import { FakeConnection, FakeServer, FakeWorker, fakeLogins, until } from './testing/fake-connection.ts';

async function stage() {
  const server = new FakeServer();
  const { clock, credential } = await fakeLogins((text) => text);
  const connect = async (login: string) => new FakeConnection(server, login);
  const warnings: string[] = [];
  const warn = (_: object, message: string): void => void warnings.push(message);
  const logger = { debug: () => undefined, info: () => undefined, warn, error: () => undefined };
  const native = await rotatingNativeConnection(credential, connect, { clock, logger });
  return { server, clock, credential, native, warnings };
}

/** A worker that runs until it is told to stop. */
function startWorker({ native }: Awaited<ReturnType<typeof stage>>, options: { refuses?: boolean } = {}) {
  let worker: FakeWorker | undefined;
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const running = native.runWorker(
    async (connection) => {
      worker = new FakeWorker(connection, options);
      return worker;
    },
    async (made) => {
      await stopped;
      made.shutdown();
      return 'ended';
    },
  );
  return { running, stop, login: () => worker?.connection.login };
}

test('every rotation moves the running workers to the new connection and closes the old one', async () => {
  const staged = await stage();
  const { server, credential, native } = staged;
  const workers = [startWorker(staged), startWorker(staged)];
  await until(() => workers.every(({ login }) => login() === 'login1'));
  for (const next of ['login2', 'login3']) {
    expect(await credential.rotate()).toMatchObject({ ok: true, terminated: 0 });
    expect(workers.map(({ login }) => login())).toEqual([next, next]);
  }
  expect([native.generation, [...native.uses()]]).toEqual([3, [[3, 2]]]);
  expect(server.log.filter((line) => line.startsWith('close'))).toEqual(['close login1', 'close login2']);

  const closed = native.close();
  for (const { stop } of workers) stop();
  expect(await Promise.all(workers.map(({ running }) => running))).toEqual(['ended', 'ended']);
  await closed;
  expect(server.log.at(-1)).toBe('close login3');
});

test('a worker that is made during a rotation is on the new connection once it is there', async () => {
  const staged = await stage();
  const { server, credential, native } = staged;
  let create: (worker: FakeWorker) => void = () => undefined;
  let given: FakeConnection | undefined;
  const made = new Promise<FakeWorker>((resolve) => {
    create = resolve;
  });
  const running = native.runWorker(
    (connection) => {
      given = connection;
      return made;
    },
    async (worker) => worker.connection.login,
  );
  await until(() => given !== undefined);
  const rotation = credential.rotate();
  await until(() => native.generation === 2);
  expect(server.log).not.toContain('close login1');
  if (given === undefined) throw new Error('no connection');
  create(new FakeWorker(given));
  expect(await running).toBe('login2');
  expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
});

test('a worker that does not take the new connection is told of and does not hold the rotation up for ever', async () => {
  const staged = await stage();
  const { clock, credential, native, warnings } = staged;
  const worker = startWorker(staged, { refuses: true });
  await until(() => worker.login() === 'login1');
  const rotation = credential.rotate();
  await until(() => warnings.length === 1);
  await clock.advance(15_000);
  expect(await rotation).toMatchObject({ ok: true, terminated: 1 });
  expect(warnings[0]).toBe('a Temporal worker did not take the new connection');
  worker.stop();
  expect(await worker.running).toBe('ended');
  await native.close();
});

test('a worker that could not be made, or ended, leaves nothing to wait for', async () => {
  const { credential, native } = await stage();
  const failing = native.runWorker(
    () => Promise.reject(new Error('no task queue')),
    async () => undefined,
  );
  await expect(failing).rejects.toThrow('no task queue');
  expect([...native.uses()]).toEqual([[1, 0]]);
  await credential.close();
  await expect(
    native.runWorker(
      async (connection) => new FakeWorker(connection),
      async () => undefined,
    ),
  ).rejects.toMatchObject({ code: 'closed' });
});
