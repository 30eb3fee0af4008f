import { type Client, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import { x509SvidOf } from '../../testing/fixed-identity.ts';
import { agedChannels } from './aged-channels.ts';
import { CLIENT_ID, EchoService, OTHER_ID, outcomeOf } from './testing/echo-service.ts';

const AGE_MS = 1_000;
const GRACE_MS = 500;
const PATIENCE = { timeout: 20_000 };

let service: EchoService;
let clock: FakeClock;
let client: Client;
/** The callers of the connections that the server admitted. */
let admitted: string[];
beforeEach(async () => {
  admitted = [];
  clock = new FakeClock();
  service = await new EchoService().open({ listen: { authorize: (id) => admitted.push(id.toString()) > 0 } });
  const channelFactoryOverride = agedChannels({ maxAgeMs: AGE_MS, maxAgeGraceMs: GRACE_MS, clock, random: () => 0 });
  client = service.client({}, { channelFactoryOverride });
});
afterEach(() => service.close());

function renew(): void {
  service.clientIdentity.setX509Svid(x509SvidOf(service.authority.issueX509Svid({ id: OTHER_ID, ttlSeconds: 60 })));
}

test('a call that runs ends on its own connection while a new one takes over', async () => {
  let release = () => {};
  service.hold = new Promise((resolve) => {
    release = resolve;
  });
  const running = outcomeOf(client);
  await vi.waitFor(() => expect(service.handled).toBe(1), PATIENCE);
  renew();
  await clock.advance(AGE_MS);
  await vi.waitFor(() => expect(admitted).toEqual([CLIENT_ID, OTHER_ID]), PATIENCE);
  release();
  expect(await running).toMatchObject({ code: status.OK });
  expect(await outcomeOf(client)).toMatchObject({ code: status.OK });
  expect(admitted).toHaveLength(2);
});

test('a call that is not done at the end of the grace is ended', async () => {
  service.hold = new Promise(() => {});
  const running = outcomeOf(client, { options: { deadline: Date.now() + 60_000 } });
  await vi.waitFor(() => expect(service.handled).toBe(1), PATIENCE);
  await clock.advance(AGE_MS);
  await clock.advance(GRACE_MS);
  expect(await running).toMatchObject({ code: status.UNAVAILABLE, details: 'The connection grew too old' });
});

test('when no new connection can be made the old one serves until its grace is over', async () => {
  expect(await outcomeOf(client)).toMatchObject({ code: status.OK });
  service.clientIdentity.setX509Svid(undefined);
  await clock.advance(AGE_MS);
  expect(await outcomeOf(client)).toMatchObject({ code: status.OK });
  await clock.advance(GRACE_MS);
  const refused = await outcomeOf(client);
  expect(refused.code).toBe(status.UNAVAILABLE);
  expect(refused.details).toContain('withdrawn');
  renew();
  await vi.waitFor(async () => expect((await outcomeOf(client)).code).toBe(status.OK), PATIENCE);
});

test('a channel that was never used makes no connection when it ages, and a closed one none at all', async () => {
  await clock.advance(AGE_MS + GRACE_MS);
  expect(admitted).toEqual([]);
  expect(await outcomeOf(client)).toMatchObject({ code: status.OK });
  client.close();
  expect(clock.nextAtMs).toBeUndefined();
});
