import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import type { CredentialProvider } from './credential.ts';
import { RotatingCredential } from './rotating-credential.ts';
import { type ResourceFactory, RotatingResource } from './rotating-resource.ts';

interface Client {
  readonly login: string;
  state: 'open' | 'closed' | 'destroyed';
}

/** Clients that know whether they are open, and a log of what happens to logins and clients. */
async function stage() {
  const clock = new FakeClock();
  const log: string[] = [];
  const refused = new Set<string>();
  let issued = 0;
  const provider: CredentialProvider<string> = {
    name: 'test',
    async obtain() {
      issued += 1;
      const value = `login${issued}`;
      const revoke = async () => void log.push(`revoke ${value}`);
      return { value, issuedAtMs: clock.now(), expiresAtMs: clock.now() + 90_000, revoke };
    },
  };
  const factory: ResourceFactory<string, Client> = {
    async open({ value }) {
      if (refused.has(value)) throw new Error(`${value} is refused`);
      log.push(`open ${value}`);
      return { login: value, state: 'open' };
    },
    close(client) {
      log.push(`close ${client.login}`);
      client.state = 'closed';
    },
    destroy(client) {
      log.push(`destroy ${client.login}`);
      client.state = 'destroyed';
    },
  };
  const credential = await RotatingCredential.open({ provider, clock, random: () => 0.5 });
  const resource = await RotatingResource.open(credential, factory, { clock });
  return { clock, log, refused, credential, resource, factory };
}

const loginOf = (resource: RotatingResource<string, Client>): Promise<string> => resource.use(({ login }) => login);

describe('a rotation', () => {
  test('opens one client, moves new work to it, closes the old one and only then revokes', async () => {
    const { log, credential, resource } = await stage();
    expect(await loginOf(resource)).toBe('login1');
    await credential.rotate();
    expect(await loginOf(resource)).toBe('login2');
    expect(log).toEqual(['open login1', 'open login2', 'close login1', 'revoke login1']);
    expect([resource.generation, [...resource.uses()]]).toEqual([2, [[2, 0]]]);
  });

  test('lets work end on the client that it began with', async () => {
    const { log, credential, resource } = await stage();
    const hold = resource.hold();
    const retired = new Promise<void>((resolve) => hold.onRetire(() => resolve()));
    const rotation = credential.rotate();
    await retired;
    expect(await loginOf(resource)).toBe('login2');
    expect([hold.resource.state, [...resource.uses()]]).toEqual([
      'open',
      [
        [1, 1],
        [2, 0],
      ],
    ]);
    hold.release();
    expect(await rotation).toMatchObject({ ok: true, terminated: 0 });
    expect(log.slice(-2)).toEqual(['close login1', 'revoke login1']);
  });

  test('destroys at the deadline what is still busy, and tells it', async () => {
    const { clock, log, credential, resource } = await stage();
    const hold = resource.hold();
    const retired: number[] = [];
    hold.onRetire(({ deadlineMs }) => retired.push(deadlineMs));
    const rotation = credential.rotate();
    while (retired.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(retired).toEqual([clock.now() + 15_000]);
    expect(hold.signal.aborted).toBe(false);
    await clock.advance(15_000);
    expect(await rotation).toMatchObject({ ok: true, terminated: 1 });
    expect(hold.signal.reason).toMatchObject({ code: 'session-terminated', retryable: true });
    expect(log.slice(-2)).toEqual(['destroy login1', 'revoke login1']);
    hold.release();
  });

  test('whose client cannot be opened leaves the old one in use', async () => {
    const { refused, credential, resource } = await stage();
    refused.add('login2');
    expect(await credential.rotate()).toMatchObject({ ok: false, error: { code: 'probe-failed' } });
    expect(await loginOf(resource)).toBe('login1');
    expect(await credential.rotate()).toMatchObject({ ok: true });
    expect(await loginOf(resource)).toBe('login3');
  });

  test.each(['probe', 'publish'] as const)(
    'that another consumer refuses at its %s leaves no client of the refused login',
    async (step) => {
      const { log, credential, resource } = await stage();
      credential.attach({
        publish: () => undefined,
        drain: async () => ({ terminated: 0 }),
        [step]: () => Promise.reject(new Error('not this one')),
      });
      expect(await credential.rotate()).toMatchObject({ ok: false });
      expect(await loginOf(resource)).toBe('login1');
      expect(log).toEqual(['open login1', 'open login2', 'close login2', 'revoke login2']);
    },
  );
});

describe('closing', () => {
  test('waits for what runs; destroying does not', async () => {
    const first = await stage();
    const hold = first.resource.hold();
    const closed = first.resource.close();
    await expect(loginOf(first.resource)).rejects.toMatchObject({ code: 'closed' });
    expect(first.log).not.toContain('close login1');
    hold.release();
    await closed;
    expect(first.log).toContain('close login1');

    const second = await stage();
    const cut = second.resource.hold();
    await second.resource.destroy();
    expect(cut.signal.aborted).toBe(true);
    expect(second.log).toContain('destroy login1');
  });

  test('the credential closes the client before the login is revoked', async () => {
    const { log, credential, resource } = await stage();
    await credential.close();
    expect(log.slice(-2)).toEqual(['close login1', 'revoke login1']);
    await expect(loginOf(resource)).rejects.toMatchObject({ code: 'closed' });
  });

  test('a client that does not close is destroyed', async () => {
    const { clock, log, credential, factory } = await stage();
    const stuck = await RotatingResource.open(
      credential,
      { ...factory, close: () => new Promise<void>(() => undefined) },
      { clock },
    );
    const closing = stuck.close();
    await clock.advance(5_000);
    await closing;
    expect(log.at(-1)).toBe('destroy login1');
  });
});
