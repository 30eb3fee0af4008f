import { RotatingCredential } from '@neural-hive/security/credentials';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CredentialBoard } from './credential-board.ts';
import { rotatingEntry } from './rotating-entry.ts';

/** Passwords of a server that forgets each one when it is revoked, like a database does with its leased logins. */
let valid: Set<string>;
let supersede: (reason: 'changed') => unknown;
let credential: RotatingCredential<string>;
let board: CredentialBoard;

beforeEach(async () => {
  valid = new Set();
  let issued = 0;
  credential = await RotatingCredential.open<string>({
    provider: {
      name: 'database/creds/sample',
      async obtain() {
        issued += 1;
        const value = `password-${issued}`;
        valid.add(value);
        const issuedAtMs = Date.now();
        return {
          value,
          issuedAtMs,
          expiresAtMs: issuedAtMs + 90_000,
          revoke: async () => void valid.delete(value),
          onSuperseded(listener) {
            supersede = listener;
            return () => undefined;
          },
        };
      },
    },
  });
  board = new CredentialBoard({ pace: { pauseMs: 1, busyPauseMs: 0 } });
});
afterEach(async () => {
  await board.close();
  await credential.close();
});

/** Opens with the password of now and is busy for a moment, as a query on a pooled connection. */
async function query(): Promise<void> {
  const { value } = credential.current();
  await new Promise((resolve) => setImmediate(resolve));
  if (!valid.has(value)) throw new Error('password authentication failed');
}

test('forced and due rotations of a rotating credential each overlap 50 operations, and none fails', async () => {
  board.register(rotatingEntry(credential, { kind: 'database', operate: query }));
  board.startLoad();
  await board.rotate('database/creds/sample');
  const rotated = new Promise<void>((resolve) => {
    credential.onRotation(() => resolve());
  });
  supersede('changed');
  await rotated;
  const { rotations, credentials, totals } = await board.report();
  expect(rotations.map(({ reason, ok }) => [reason, ok])).toEqual([
    ['forced', true],
    ['due', true],
  ]);
  for (const { operationsDuring } of rotations) expect(operationsDuring).toBeGreaterThanOrEqual(50);
  expect(totals).toMatchObject({ failedOperations: 0, forced: 1, due: 1 });
  expect(credentials).toMatchObject([{ kind: 'database', generation: 3, ttlSeconds: 90 }]);
});

test('an operation that uses what was revoked is seen', async () => {
  const [stale] = valid;
  const useStale = async (): Promise<void> => {
    if (!valid.has(stale ?? '')) throw new Error('password authentication failed');
  };
  board.register(rotatingEntry(credential, { kind: 'database', operate: useStale }));
  board.startLoad();
  const { failed: duringFirst } = await board.rotate('database/creds/sample');
  expect(duringFirst).toBe(0);
  const { failed } = await board.rotate('database/creds/sample');
  expect(failed).toBeGreaterThanOrEqual(50);
});
