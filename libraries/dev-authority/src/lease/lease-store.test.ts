import { systemClock } from '@neural-hive/security/common';
import { expect, test } from 'vitest';
import { type Lease, LeaseStore, type NewLease } from './lease-store.ts';

const LEASE: NewLease = {
  mount: 'db/',
  path: 'db/creds/r',
  tokenAccessor: 'acc',
  ttlSeconds: 60,
  maxTtlSeconds: 90,
  payload: {},
};

/** An engine whose things are names in a set, and a store on it. */
function setUp(saved: unknown = []): {
  store: LeaseStore;
  made: Set<string>;
  events: string[];
  fail: { next: number };
} {
  const made = new Set<string>();
  const events: string[] = [];
  const fail = { next: 0 };
  const store = new LeaseStore(
    {
      clock: systemClock,
      random: () => 0,
      events: { event: (name) => void events.push(name), hmac: (text) => text },
      engineOf: () => ({
        revokeLease: async ({ id }: Lease) => {
          if (fail.next > 0) {
            fail.next -= 1;
            throw new Error('the database is away');
          }
          made.delete(id);
        },
        renewLease: async () => undefined,
      }),
      commit: async () => undefined,
    },
    saved,
  );
  return { store, made, events, fail };
}

test('a lease that was written down and never handed out is undone at the next start', async () => {
  const before = setUp();
  const never = before.store.create(LEASE, () => new Promise<void>(() => undefined));
  void never;
  await expect.poll(() => (before.store.save() as Lease[])[0]?.state).toBe('pending');
  const saved = JSON.parse(JSON.stringify(before.store.save())) as Lease[];
  const after = setUp(saved);
  after.made.add(saved[0]?.id ?? '');
  after.store.start();
  await expect.poll(() => [after.made.size, after.store.save()]).toEqual([0, []]);
});

test('a token that ends while its lease is made takes along what was made', async () => {
  const { store, made } = setUp();
  let finish = (): void => undefined;
  const creating = store.create(LEASE, async ({ id }) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    made.add(id);
  });
  const refused = expect(creating).rejects.toThrow('the token ended');
  await expect.poll(() => store.ofToken('acc').length).toBe(1);
  const revoked = store.revokeAll(store.ofToken('acc'));
  finish();
  await refused;
  expect((await revoked).map(({ status }) => status)).toEqual(['fulfilled']);
  expect([made.size, store.counts().active]).toEqual([0, 0]);
});

test('what the engine could not make is undone and forgotten', async () => {
  const { store, events } = setUp();
  await expect(store.create(LEASE, () => Promise.reject(new Error('no such table')))).rejects.toThrow('no such table');
  expect([store.save(), events]).toEqual([[], ['lease.revoked']]);
});

test('a revocation that fails is repeated by itself, and counted once', async () => {
  const { store, made, events, fail } = setUp();
  const lease = await store.create(LEASE, async ({ id }) => void made.add(id));
  fail.next = 1;
  await expect(store.revoke(lease.id)).rejects.toThrow('the database is away');
  expect(store.counts()).toMatchObject({ active: 0, revoking: 1, revoked: 0 });
  await expect(store.renew(lease.id, undefined)).rejects.toThrow('lease expired');
  await expect.poll(() => store.counts(), { timeout: 3_000 }).toMatchObject({ revoking: 0, revoked: 1 });
  expect([made.size, events]).toEqual([0, ['lease.created', 'lease.revocation_failed', 'lease.revoked']]);
});

test('two revocations at once are one', async () => {
  const { store, events } = setUp();
  const lease = await store.create(LEASE, async () => undefined);
  await Promise.all([store.revoke(lease.id), store.revoke(lease.id)]);
  expect(events).toEqual(['lease.created', 'lease.revoked']);
});
