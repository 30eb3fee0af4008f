import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { answerLookup, FaultVault, reply } from '../testing/fault-vault.ts';
import { tokenAuth, VaultClient } from '../vault/index.ts';
import { staticRole } from './static-role.ts';

/** A static role that is rotated when told to; `rotation` is when it was last. */
let role: { password: string; rotation: string; ttl: number; away: boolean };
let server: FaultVault;
let client: VaultClient;
let clock: FakeClock;

beforeEach(async () => {
  role = { password: 'first', rotation: '2026-01-01T00:00:00.5Z', ttl: 60, away: false };
  server = await FaultVault.listen();
  server.handler = ({ path }, response) => {
    if (path.endsWith('lookup-self')) return answerLookup(response);
    if (role.away) return reply(response, 400, { errors: ['away'] });
    const { password, rotation, ttl } = role;
    reply(response, 200, {
      data: { username: 'app', password, ttl, rotation_period: 60, last_vault_rotation: rotation },
    });
  };
  const auth = tokenAuth({ token: 'hvs.a' });
  client = await VaultClient.open({ address: server.address, ca: server.caPem, auth, maxRetries: 0 });
  clock = new FakeClock();
});
afterEach(async () => {
  await client.destroy();
  await server.close();
});

const reads = (): number => server.to('/v1/database/static-creds/app').length;
/** Moves on, and lets the request that became due then be answered. */
async function pass(ms: number): Promise<void> {
  const before = reads();
  await clock.advance(ms);
  while (reads() === before) await new Promise((resolve) => setTimeout(resolve, 1));
  while (clock.nextAtMs === undefined && !ended) await new Promise((resolve) => setTimeout(resolve, 1));
}
let ended = false;

const obtain = () =>
  staticRole(client, 'app', { pollMs: 3_600_000, clock, random: () => 0.5 }).obtain({
    signal: new AbortController().signal,
    reserveMs: 0,
    first: true,
  });

test('the login does not end by itself, and its times are those of the server', async () => {
  const issued = await obtain();
  expect(issued.value.username).toBe('app');
  expect(issued.value.password.reveal()).toBe('first');
  expect(issued.issuedAtMs).toBe(Date.parse('2026-01-01T00:00:00.5Z'));
  expect(issued.expiresAtMs).toBe(Number.POSITIVE_INFINITY);
  await issued.revoke();
  expect(server.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
});

test('it is read again when the period ends, until the rotation has really happened', async () => {
  ended = false;
  const issued = await obtain();
  const reasons: string[] = [];
  issued.onSuperseded?.((reason) => {
    ended = true;
    reasons.push(reason);
  });
  await clock.advance(60_000);
  expect(reads()).toBe(1);
  role.ttl = 0;
  await pass(250);
  expect(reasons).toEqual([]);
  role.away = true;
  await pass(1_000);
  expect(reasons).toEqual([]);
  role = { password: 'second', rotation: '2026-01-01T00:01:00Z', ttl: 60, away: false };
  await pass(1_000);
  while (reasons.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(reasons).toEqual(['changed']);
  expect((await obtain()).value.password.reveal()).toBe('second');
});

test('what is no login is refused', async () => {
  server.handler = (_request, response) => reply(response, 200, { data: { username: 'app' } });
  await expect(obtain()).rejects.toMatchObject({ code: 'bad-response' });
});

test('a wrong pollMs is named', () => {
  expect(() => staticRole(client, 'app', { pollMs: 1 })).toThrow(/^pollMs/);
});
