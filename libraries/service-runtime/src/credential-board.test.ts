import { afterEach, describe, expect, test } from 'vitest';
import type { BoardEntry, DrainGate, OperationContext, RotationLike } from './board-entry.ts';
import { CredentialBoard } from './credential-board.ts';

/** A credential with the life cycle of a rotating one: publish, drain every consumer, tell the listeners. */
class FakeCredential {
  generation = 1;
  operations = 0;
  failNext = 0;
  retryNext = 0;
  readonly #gates = new Set<DrainGate>();
  readonly #listeners = new Set<(rotation: RotationLike) => void>();

  entry(overrides: Partial<BoardEntry> = {}): BoardEntry {
    return {
      name: 'orchestrator-db',
      kind: 'database',
      describe: () => ({ generation: this.generation, ttlSeconds: 90, expiresAtMs: 1 }),
      rotate: () => this.rotate('forced'),
      operate: (context) => this.operate(context),
      onRotation: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      attach: (gate) => {
        this.#gates.add(gate);
        return () => this.#gates.delete(gate);
      },
      ...overrides,
    };
  }

  async rotate(reason: string): Promise<RotationLike> {
    const startedAtMs = Date.now();
    await new Promise((resolve) => setImmediate(resolve));
    this.generation += 1;
    for (const gate of this.#gates) gate.publish();
    const signal = new AbortController().signal;
    await Promise.all(
      [...this.#gates].map((gate) => gate.drain(undefined, { deadlineMs: Date.now() + 15_000, signal })),
    );
    const rotation = { reason, startedAtMs, drainedAtMs: Date.now(), terminated: 2, ok: true };
    for (const listener of this.#listeners) listener(rotation);
    return rotation;
  }

  async operate(context: OperationContext): Promise<void> {
    this.operations += 1;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.retryNext > 0) {
      this.retryNext -= 1;
      context.retried();
      context.retried();
    }
    if (this.failNext > 0) {
      this.failNext -= 1;
      throw new Error('password authentication failed');
    }
  }
}

const boards: CredentialBoard[] = [];
function board(options: ConstructorParameters<typeof CredentialBoard>[0] = {}): CredentialBoard {
  const created = new CredentialBoard({ pace: { pauseMs: 1, busyPauseMs: 0 }, ...options });
  boards.push(created);
  return created;
}
afterEach(() => Promise.all(boards.splice(0).map((created) => created.close())));

describe('a forced rotation', () => {
  test('overlaps at least 50 operations, which fall into the drain of the rotation itself', async () => {
    const credential = new FakeCredential();
    const under = board();
    under.register(credential.entry());
    under.startLoad();
    const record = await under.rotate('orchestrator-db');
    expect(record).toMatchObject({ reason: 'forced', ok: true, failed: 0, retried: 0, terminated: 2 });
    expect(record.operationsDuring).toBeGreaterThanOrEqual(50);
    expect(record.maxStallMs).toBeLessThan(5_000);
    expect(under.list()).toEqual([
      { name: 'orchestrator-db', kind: 'database', generation: 2, ttlSeconds: 90, expiresAtMs: 1 },
    ]);
    const { rotations, totals } = await under.report();
    expect(rotations).toEqual([record]);
    expect(totals).toMatchObject({ total: 1, forced: 1, due: 0, sessionsTerminated: 2, failedOperations: 0 });
  });

  test('brings its own load when none runs, and takes it away again', async () => {
    const credential = new FakeCredential();
    const under = board();
    under.register(credential.entry());
    const record = await under.rotate('orchestrator-db');
    expect(record.operationsDuring).toBeGreaterThanOrEqual(50);
    expect(under.loadStatistics().running).toBe(false);
  });

  test('without a drain of its own is watched until 50 operations have seen it', async () => {
    const under = board();
    under.register({
      name: 'vault-token',
      kind: 'vault-token',
      describe: () => ({ generation: 1, ttlSeconds: 90, expiresAtMs: 1 }),
      rotate: async () => ({}),
      operate: () => new Promise((resolve) => setImmediate(resolve)),
    });
    const record = await under.rotate('vault-token');
    expect(record.operationsDuring).toBeGreaterThanOrEqual(50);
  });

  test('counts each operation that fails or is repeated while it goes on', async () => {
    const credential = new FakeCredential();
    const under = board();
    under.register(
      credential.entry({
        rotate: async () => {
          credential.failNext = 3;
          credential.retryNext = 2;
          return credential.rotate('forced');
        },
      }),
    );
    under.startLoad();
    expect(await under.rotate('orchestrator-db')).toMatchObject({ failed: 3, retried: 2 });
    expect(under.loadStatistics().credentials).toMatchObject([{ name: 'orchestrator-db', failed: 3, retried: 2 }]);
  });

  test('that fails is recorded as such', async () => {
    const credential = new FakeCredential();
    const under = board();
    under.register(credential.entry({ rotate: () => Promise.reject(new Error('no lease to be had')) }));
    expect(await under.rotate('orchestrator-db')).toMatchObject({ ok: false, error: 'no lease to be had' });
    expect((await under.report()).totals).toMatchObject({ total: 1, unsuccessful: 1 });
  });

  test('waits for the one before it', async () => {
    const credential = new FakeCredential();
    const under = board();
    under.register(credential.entry());
    const [first, second] = await Promise.all([under.rotate('orchestrator-db'), under.rotate('orchestrator-db')]);
    expect(second.startedAtMs).toBeGreaterThanOrEqual(first.startedAtMs + first.durationMs);
    expect(credential.generation).toBe(3);
  });

  test('of a credential that is listed only, or unknown, is a wrong argument', () => {
    const under = board();
    under.register({
      name: 'jwt',
      kind: 'listed',
      describe: () => ({ generation: 1, ttlSeconds: 60, expiresAtMs: 1 }),
    });
    expect(under.rotatable()).toEqual([]);
    expect(() => under.rotate('jwt')).toThrow('cannot be rotated from here');
    expect(() => under.rotate('nothing')).toThrow('There is no credential');
  });
});

describe('a due rotation', () => {
  test('is recorded when the load runs, with at least 50 operations, and not otherwise', async () => {
    const credential = new FakeCredential();
    const under = board();
    under.register(credential.entry());
    await credential.rotate('due');
    expect((await under.report()).rotations).toEqual([]);
    under.startLoad();
    await credential.rotate('due');
    const { rotations, totals } = await under.report();
    expect(totals).toMatchObject({ total: 1, due: 1, forced: 0 });
    expect(rotations[0]?.operationsDuring).toBeGreaterThanOrEqual(50);
  });
});

test('the load is stopped only after a rotation under way had its operations', async () => {
  const credential = new FakeCredential();
  const under = board();
  under.register(credential.entry());
  under.startLoad();
  const rotating = credential.rotate('due');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  await Promise.all([under.stopLoad(), rotating]);
  const { rotations } = await under.report();
  expect(rotations).toMatchObject([{ reason: 'due' }]);
  expect(rotations[0]?.operationsDuring).toBeGreaterThanOrEqual(50);
});

describe('a change that the authority makes', () => {
  test('is forced when it was announced, due otherwise, and each overlaps 50 operations', async () => {
    const listeners = new Set<() => void>();
    const under = board();
    under.register({
      name: 'x509-svid',
      kind: 'x509-svid',
      describe: () => ({ generation: 1, ttlSeconds: 90, expiresAtMs: 1 }),
      operate: () => new Promise((resolve) => setImmediate(resolve)),
      onObserved: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    });
    const update = (): void => {
      for (const listener of listeners) listener();
    };
    update();
    expect((await under.report()).rotations).toEqual([]);
    under.startLoad();
    under.expect('x509-svid', 1);
    update();
    await under.report();
    update();
    const { rotations } = await under.report();
    expect(rotations.map(({ reason }) => reason)).toEqual(['forced', 'due']);
    for (const { operationsDuring, failed } of rotations) {
      expect(operationsDuring).toBeGreaterThanOrEqual(50);
      expect(failed).toBe(0);
    }
  });
});

test('the load ends when it is stopped, and its operations with it', async () => {
  const credential = new FakeCredential();
  const under = board();
  under.register(credential.entry());
  under.startLoad();
  await new Promise<void>((resolve) => {
    const poll = (): void => void (credential.operations > 10 ? resolve() : setImmediate(poll));
    poll();
  });
  const { running, credentials } = await under.stopLoad();
  expect(running).toBe(false);
  expect(credentials[0]?.operations).toBe(credential.operations);
});

test('an operation that the end of the load cuts short has not failed, one that fails at that moment has', async () => {
  const credential = new FakeCredential();
  const waiting: Promise<void>[] = [];
  const operate = ({ signal }: OperationContext): Promise<void> => {
    const own = waiting.length === 0 ? new Error('the server is gone') : undefined;
    const operation = new Promise<void>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(own ?? signal.reason), { once: true });
    });
    waiting.push(operation);
    return operation;
  };
  const under = board({ pace: { concurrency: 2 } });
  under.register(credential.entry({ operate }));
  under.startLoad();
  expect(waiting).toHaveLength(2);
  const { credentials } = await under.stopLoad();
  expect(credentials[0]).toMatchObject({ operations: 2, failed: 1 });
});

test('a name is on the board once', () => {
  const under = board();
  const remove = under.register(new FakeCredential().entry());
  expect(() => under.register(new FakeCredential().entry())).toThrow(TypeError);
  remove();
  under.register(new FakeCredential().entry());
});
