import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import type { CredentialConsumer, CredentialProvider, RotationOutcome, SupersededReason } from './credential.ts';
import { CredentialError } from './errors.ts';
import { RotatingCredential, type RotatingCredentialOptions } from './rotating-credential.ts';

const LIFE_MS = 90_000;

/** A provider and a consumer that write down what happens, and fail where they are told to. */
function stage() {
  const clock = new FakeClock();
  const log: string[] = [];
  const failing = new Set<string>();
  const superseders = new Map<number, (reason: SupersededReason) => unknown>();
  let issued = 0;
  const step = (name: string): void => {
    log.push(name);
    if (failing.has(name.split(' ')[0] ?? '')) throw new Error(`${name} failed`);
  };
  const provider: CredentialProvider<string> = {
    name: 'test',
    async obtain() {
      issued += 1;
      const number = issued;
      step(`obtain ${number}`);
      return {
        value: `v${number}`,
        issuedAtMs: clock.now(),
        expiresAtMs: clock.now() + LIFE_MS,
        revoke: async () => step(`revoke ${number}`),
        onSuperseded(listener) {
          superseders.set(number, listener);
          return () => superseders.delete(number);
        },
      };
    },
  };
  const consumer: CredentialConsumer<string> = {
    probe: async ({ value }) => step(`probe ${value}`),
    publish: ({ value }) => step(`publish ${value}`),
    async drain({ value }) {
      step(`drain ${value}`);
      return { terminated: 0 };
    },
  };
  const open = (options: Partial<RotatingCredentialOptions<string>> = {}) =>
    RotatingCredential.open({ provider, clock, random: () => 0.5, ...options });
  return { clock, log, failing, superseders, consumer, open };
}

describe('a rotation', () => {
  test('obtains, probes, publishes, drains and then revokes', async () => {
    const { log, consumer, open } = stage();
    const credential = await open();
    credential.attach(consumer);
    const outcome = await credential.rotate();
    expect(log).toEqual(['obtain 1', 'obtain 2', 'probe v2', 'publish v2', 'drain v1', 'revoke 1']);
    expect(outcome).toMatchObject({ name: 'test', reason: 'forced', generation: 2, terminated: 0, ok: true });
    expect(credential.current()).toMatchObject({ generation: 2, value: 'v2' });
  });

  test.each([
    ['obtain', 'obtain-failed', []],
    ['probe', 'probe-failed', ['revoke 2']],
    ['publish', 'publish-failed', ['revoke 2']],
  ])(
    'whose %s fails leaves the old generation in use and keeps nothing of the new one',
    async (step, code, cleaned) => {
      const { log, failing, consumer, open } = stage();
      const credential = await open();
      credential.attach(consumer);
      failing.add(step);
      const outcome = await credential.rotate();
      expect(outcome).toMatchObject({ ok: false, generation: 1, publishedAtMs: 0, error: { code } });
      expect(outcome.error).toBeInstanceOf(CredentialError);
      expect(credential.current()).toMatchObject({ generation: 1, value: 'v1' });
      expect(log.filter((entry) => entry.startsWith('revoke'))).toEqual(cleaned);
      failing.clear();
      expect(await credential.rotate()).toMatchObject({ ok: true });
    },
  );

  test('that one consumer refuses is taken back from the others', async () => {
    const { log, failing, consumer, open } = stage();
    const seen: number[] = [];
    const credential = await open();
    credential.attach({
      publish: ({ generation }) => void seen.push(generation),
      drain: async () => ({ terminated: 0 }),
    });
    credential.attach(consumer);
    failing.add('publish');
    await credential.rotate();
    expect(seen).toEqual([2, 1]);
    expect(log).not.toContain('revoke 1');
  });

  test('whose revocation fails counts: the old credential ends with its lease', async () => {
    const { clock, failing, log, open } = stage();
    const credential = await open();
    failing.add('revoke');
    const rotating = credential.rotate();
    await clock.advance(60_000);
    expect(await rotating).toMatchObject({ ok: true, generation: 2 });
    expect(log.filter((entry) => entry === 'revoke 1').length).toBeGreaterThan(1);
  });

  test('waits for the one before it, whatever caused either', async () => {
    const { log, superseders, consumer, open } = stage();
    const credential = await open();
    credential.attach(consumer);
    const outcomes: RotationOutcome[] = [];
    credential.onRotation((outcome) => outcomes.push(outcome));
    superseders.get(1)?.('due');
    await Promise.all([credential.rotate(), credential.rotate()]);
    expect(outcomes.map(({ reason, generation }) => [reason, generation])).toEqual([
      ['due', 2],
      ['forced', 3],
      ['forced', 4],
    ]);
    const order = log.filter((entry) => /^(obtain|revoke)/.test(entry));
    expect(order).toEqual(['obtain 1', 'obtain 2', 'revoke 1', 'obtain 3', 'revoke 2', 'obtain 4', 'revoke 3']);
  });

  test('that is due for a generation which a forced one has replaced meanwhile is not run again', async () => {
    const { superseders, consumer, open, log } = stage();
    const credential = await open();
    credential.attach(consumer);
    const due = superseders.get(1);
    const forced = credential.rotate();
    due?.('due');
    await forced;
    await credential.rotate();
    expect(log.filter((entry) => entry.startsWith('obtain'))).toHaveLength(3);
  });

  test('that is due is tried again with pauses until it succeeds', async () => {
    const { clock, failing, superseders, log, open } = stage();
    const credential = await open();
    failing.add('obtain');
    await superseders.get(1)?.('max-ttl');
    await clock.advance(70_000);
    const tries = log.filter((entry) => entry.startsWith('obtain')).length;
    expect(tries).toBeGreaterThan(2);
    expect(tries).toBeLessThan(20);
    failing.clear();
    await clock.advance(20_000);
    expect(credential.current().generation).toBe(2);
  });

  test('gives its consumers until the drain time is over, but never past the end of the old credential', async () => {
    const { clock, open } = stage();
    const deadlines: number[] = [];
    const credential = await open({ drainTimeoutMs: 60_000, drainMarginMs: 2_000 });
    const drain: CredentialConsumer<string>['drain'] = async (_previous, { deadlineMs }) => {
      deadlines.push(deadlineMs - clock.now());
      return { terminated: 0 };
    };
    credential.attach({ publish: () => undefined, drain });
    await credential.rotate();
    await clock.advance(50_000);
    await credential.rotate();
    expect(deadlines).toEqual([60_000, LIFE_MS - 50_000 - 2_000]);
  });

  test('reports through a listener that throws', async () => {
    const { open } = stage();
    const credential = await open();
    credential.onRotation(() => {
      throw new Error('mine');
    });
    expect(await credential.rotate()).toMatchObject({ ok: true });
  });
});

describe('closing', () => {
  test('waits for the rotation under way and revokes the generation in use, once', async () => {
    const { log, open } = stage();
    const credential = await open();
    await credential.rotate();
    await Promise.all([credential.close(), credential.close()]);
    expect(log).toEqual(['obtain 1', 'obtain 2', 'revoke 1', 'revoke 2']);
    expect(() => credential.current()).toThrow(CredentialError);
    expect(await credential.rotate()).toMatchObject({ ok: false, error: { code: 'closed' } });
  });

  test('drains what still uses the credential before it is revoked', async () => {
    const { log, consumer, open } = stage();
    const credential = await open();
    credential.attach(consumer);
    await credential.close();
    expect(log).toEqual(['obtain 1', 'drain v1', 'revoke 1']);
  });

  test('by destroy leaves the credential to end by itself', async () => {
    const { log, open } = stage();
    const credential = await open();
    await credential.destroy();
    expect(log).toEqual(['obtain 1']);
  });
});

describe('opening', () => {
  test('rejects when the first credential does not pass the probe, and gives it back', async () => {
    const { log, open } = stage();
    const probe = () => Promise.reject(new Error('refused'));
    await expect(open({ probe })).rejects.toThrow('refused');
    expect(log).toEqual(['obtain 1', 'revoke 1']);
  });

  test.each(['drainTimeoutMs', 'drainMarginMs', 'backoffCapMs'])('names a wrong %s', async (option) => {
    const { open } = stage();
    await expect(open({ [option]: -1 })).rejects.toThrow(RangeError);
    await expect(open({ [option]: -1 })).rejects.toThrow(option);
  });
});
