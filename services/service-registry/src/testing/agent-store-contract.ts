import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../domain/agent.ts';
import type { AgentStore, Decision, Room } from '../domain/agent-store.ts';
import type { Change, ChangeType } from '../domain/change-log.ts';
import { agent, OTHER_WORKER, telemetry, WORKER } from './registry-fixture.ts';

/** What the contract needs of an adapter. */
export interface StoreKind {
  readonly name: string;
  readonly start?: () => Promise<void>;
  /** An empty store as two replicas see it: the same one twice when it belongs to one process. */
  readonly open: (options: { readonly keptChanges: number }) => Promise<readonly [AgentStore, AgentStore]>;
  readonly close: () => Promise<void>;
  readonly stop?: () => Promise<void>;
}

const KEPT_CHANGES = 300;

const idOf = (number: number): string => `00000000-0000-8000-8000-${String(number).padStart(12, '0')}`;
const numbered = (number: number, overrides: Partial<Agent> = {}): Agent =>
  agent({ agentId: idOf(number), instanceId: `worker-${number}`, ...overrides });

function changing(type: ChangeType, next: Agent, room?: Room): () => Decision<string> {
  return () => ({
    kind: 'change',
    change: { type, agent: next, atMs: 1 },
    ...(room !== undefined && { room }),
    result: next.agentId,
  });
}

function register(store: AgentStore, next: Agent, room?: Room): Promise<string> {
  return store.update(next.agentId, changing('REGISTERED', next, room));
}

const instances = (agents: readonly Agent[]): string[] => agents.map(({ instanceId }) => instanceId).sort();

async function found(store: AgentStore, ...terms: readonly string[]): Promise<Agent[]> {
  return Array.from(await store.search(terms), (one) => one.agent);
}

/** The rules of the port, on every adapter of it: what one replica is told, the other one knows. */
export function describeAgentStore(kind: StoreKind): void {
  describe(`an agent store: ${kind.name}`, () => {
    let here: AgentStore;
    let there: AgentStore;

    beforeAll(async () => kind.start?.());
    afterAll(async () => kind.stop?.());
    beforeEach(async () => {
      [here, there] = await kind.open({ keptChanges: KEPT_CHANGES });
    });
    afterEach(() => kind.close());

    test('what one replica has acknowledged, the next answer of the other one knows', async () => {
      for (let round = 0; round < 20; round += 1) {
        const next = numbered(round, { capabilities: [`skill-${round}`] });
        await register(here, next);
        expect(await there.get(next.agentId)).toEqual(next);
        expect(await found(there, `capability skill-${round}`)).toEqual([next]);
        expect((await there.page('', 100)).length).toBe(round + 1);
        const seen = { ...next, telemetry: telemetry({ active: round }), lastSeenMs: 2_000_000 };
        await here.update(next.agentId, () => ({ kind: 'refresh', agent: seen, result: undefined }));
        expect(await there.get(next.agentId)).toEqual(seen);
      }
      await here.update(idOf(7), changing('DEREGISTERED', numbered(7)));
      expect(await there.get(idOf(7))).toBeUndefined();
      expect(await found(there, 'capability skill-7')).toEqual([]);
      expect((await there.snapshot()).agents.length).toBe(19);
    });

    test('an agent is found by what it is now, and by nothing that it was', async () => {
      await register(here, numbered(1, { capabilities: ['build', 'test'] }));
      await register(here, numbered(2, { capabilities: ['test'] }));
      expect(instances(await found(there, 'capability test'))).toEqual(['worker-1', 'worker-2']);
      expect(instances(await found(there, 'capability test', 'capability build'))).toEqual(['worker-1']);
      await there.update(idOf(1), changing('UPDATED', numbered(1, { capabilities: ['deploy'] })));
      expect(await found(here, 'capability build')).toEqual([]);
      expect(instances(await found(here, 'capability deploy'))).toEqual(['worker-1']);
    });

    test('of those who can do it the best come first, by the figures of their latest heartbeat', async () => {
      for (const number of [1, 2, 3]) await register(here, numbered(number, { registeredAtMs: number }));
      expect((await found(there, 'capability build')).map(({ agentId }) => agentId)).toEqual([1, 2, 3].map(idOf));
      const busy = numbered(1, { registeredAtMs: 1, telemetry: telemetry({ active: 4 }) });
      const idle = numbered(3, { registeredAtMs: 3, telemetry: telemetry({ active: 0 }) });
      for (const next of [busy, idle]) {
        await here.update(next.agentId, () => ({ kind: 'refresh', agent: next, result: undefined }));
      }
      const ranked = [...(await there.search(['capability build']))];
      expect(ranked.map((one) => [one.agent.agentId, one.score])).toEqual([
        [idOf(3), 1],
        [idOf(1), 0.7],
        [idOf(2), 0.7],
      ]);
    });

    test('an agent that was announced as UNHEALTHY is not found until it is well again', async () => {
      await register(here, numbered(1));
      await here.update(idOf(1), changing('STATUS_CHANGED', numbered(1, { status: 'UNHEALTHY' })));
      expect(await found(there, 'capability build')).toEqual([]);
      await there.update(idOf(1), changing('STATUS_CHANGED', numbered(1)));
      expect(await found(here, 'capability build')).toHaveLength(1);
    });

    test('pages bring every agent once, in the order of the ids', async () => {
      for (const number of [4, 1, 3, 5, 2]) await register(here, numbered(number));
      const first = await there.page('', 2);
      const second = await there.page(first[1]?.agentId ?? '', 2);
      const third = await there.page(second[1]?.agentId ?? '', 2);
      expect([...first, ...second, ...third].map(({ agentId }) => agentId)).toEqual([1, 2, 3, 4, 5].map(idOf));
    });

    test('every change has the next revision, and heartbeats have none', async () => {
      const { revision } = await here.snapshot();
      await register(here, numbered(1));
      await there.update(idOf(1), changing('STATUS_CHANGED', numbered(1, { status: 'UNHEALTHY' })));
      await here.update(idOf(1), () => ({ kind: 'refresh', agent: numbered(1), result: undefined }));
      const notification = { type: 'drain', message: 'now', metadata: { why: 'upgrade' } };
      const notified = { type: 'NOTIFIED', agent: numbered(1), atMs: 2, notification } as const;
      await there.update(idOf(1), () => ({ kind: 'change', change: notified, result: undefined }));
      const scout = {
        type: 'UPDATED',
        agent: numbered(1, { type: 'SCOUT' }),
        previousType: 'WORKER',
        atMs: 3,
      } as const;
      await here.update(idOf(1), () => ({ kind: 'change', change: scout, result: undefined }));
      await there.update(idOf(1), changing('DEREGISTERED', numbered(1)));
      const expected = [
        { type: 'REGISTERED', agent: numbered(1), atMs: 1 },
        { type: 'STATUS_CHANGED', agent: numbered(1, { status: 'UNHEALTHY' }), atMs: 1 },
        notified,
        scout,
        { type: 'DEREGISTERED', agent: numbered(1), atMs: 1 },
      ].map((change, index) => ({ revision: revision + index + 1, ...change }));
      for (const store of [here, there]) {
        expect((await store.snapshot()).revision).toBe(revision + 5);
        expect(await allAfter(store, revision, 5)).toEqual(expected);
        expect(await allAfter(store, revision + 3, 2)).toEqual(expected.slice(3));
      }
      expect(await here.get(idOf(1))).toBeUndefined();
    });

    test('a revision that is not reached, or not kept any more, is refused by both replicas', async () => {
      const { revision } = await here.snapshot();
      await register(here, numbered(1));
      expect(await allAfter(there, revision, 1)).toHaveLength(1);
      await expect(there.changesAfter(revision + 2)).rejects.toMatchObject({ code: 'revision_lost' });
      // An adapter may keep more than it is told to.
      for (let round = 0; round < 3 * KEPT_CHANGES; round += 1) {
        await here.update(idOf(1), changing('UPDATED', numbered(1, { version: `${round}` })));
      }
      const newest = (await there.snapshot()).revision;
      for (const store of [here, there]) {
        await expect(store.changesAfter(revision)).rejects.toMatchObject({ code: 'revision_lost' });
        expect(await allAfter(store, newest - KEPT_CHANGES, KEPT_CHANGES)).toHaveLength(KEPT_CHANGES);
      }
    });

    test('those who listen are told of the changes of either replica', async () => {
      for (const store of [here, there]) {
        const told = new Promise<void>((resolve) => {
          const off = there.onChange(() => {
            off();
            resolve();
          });
        });
        await register(store, numbered(store === here ? 1 : 2));
        await told;
      }
    });

    test('decisions about one agent follow one another, whichever replicas make them', async () => {
      await register(here, numbered(1, { telemetry: telemetry({ active: 0 }) }));
      const increment = (current: Agent | undefined): Decision<number> => {
        const active = (current?.telemetry?.active ?? Number.NaN) + 1;
        return { kind: 'refresh', agent: numbered(1, { telemetry: telemetry({ active }) }), result: active };
      };
      const results = await Promise.all(
        Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? here : there).update(idOf(1), increment)),
      );
      expect(results.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
      expect((await here.get(idOf(1)))?.telemetry?.active).toBe(60);
    });

    test('of those who register the same agent at once, one does', async () => {
      const results = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? here : there).update(
            idOf(1),
            (current): Decision<'made' | 'found'> =>
              current === undefined
                ? { kind: 'change', change: { type: 'REGISTERED', agent: numbered(1), atMs: 1 }, result: 'made' }
                : { kind: 'keep', result: 'found' },
          ),
        ),
      );
      expect(results.filter((result) => result === 'made')).toHaveLength(1);
    });

    test('a decision that keeps or throws is made on what is there, and changes nothing', async () => {
      const { revision } = await here.snapshot();
      const present = (current: Agent | undefined): Decision<boolean> => ({
        kind: 'keep',
        result: current !== undefined,
      });
      const refuse = (current: Agent | undefined): never => {
        throw new RangeError(current === undefined ? 'absent' : 'present');
      };
      expect(await there.update(idOf(1), present)).toBe(false);
      await expect(there.update(idOf(1), refuse)).rejects.toThrow(new RangeError('absent'));
      await register(here, numbered(1));
      expect(await there.update(idOf(1), present)).toBe(true);
      await expect(there.update(idOf(1), refuse)).rejects.toThrow(new RangeError('present'));
      expect((await there.snapshot()).revision).toBe(revision + 1);
      expect(await there.get(idOf(1))).toEqual(numbered(1));
    });

    test('limits hold however many come at once, and who is there already may stay', async () => {
      const room = { agents: 6, ofIdentity: 4 };
      const owners = [WORKER, OTHER_WORKER];
      const results = await Promise.allSettled(
        Array.from({ length: 16 }, (_, index) =>
          register(
            index % 2 === 0 ? here : there,
            numbered(index, { spiffeId: owners[index < 8 ? 0 : 1] ?? '' }),
            room,
          ),
        ),
      );
      const { agents } = await there.snapshot();
      expect(agents).toHaveLength(6);
      for (const owner of owners) {
        expect(agents.filter(({ spiffeId }) => spiffeId === owner).length).toBeLessThanOrEqual(4);
      }
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'too_many' });
      }
      const [one] = agents;
      if (one === undefined) throw new Error('nobody is there');
      await there.update(one.agentId, changing('UPDATED', { ...one, version: 'next' }));
      await here.update(one.agentId, changing('DEREGISTERED', one));
      await register(there, numbered(20, { spiffeId: one.spiffeId }), room);
      await expect(register(here, numbered(21, { spiffeId: one.spiffeId }), room)).rejects.toMatchObject({
        code: 'too_many',
      });
    });

    test('a name is watched while one of those who announced it, on any replica, is left', async () => {
      const names = [WORKER, `${WORKER} ${idOf(1)}`];
      expect(await here.isWatched(names)).toBe(false);
      const leave = [await here.announceWatch(WORKER), await there.announceWatch(WORKER)];
      expect(await here.isWatched(names)).toBe(true);
      expect(await there.isWatched([OTHER_WORKER])).toBe(false);
      await leave[0]?.();
      await leave[0]?.();
      expect(await here.isWatched(names)).toBe(true);
      await leave[1]?.();
      expect(await here.isWatched(names)).toBe(false);
      const again = await there.announceWatch(names[1] ?? '');
      expect(await here.isWatched(names)).toBe(true);
      await again();
    });

    test('who follows from any revision gets every change once, while both replicas make them', async () => {
      const { revision } = await there.snapshot();
      const total = 120;
      const making = Promise.all(
        Array.from({ length: total }, (_, index) => register(index % 2 === 0 ? here : there, numbered(index))),
      );
      const followed = await Promise.all([allAfter(here, revision, total), allAfter(there, revision, total)]);
      await making;
      for (const changes of followed) {
        expect(changes.map((change) => change.revision - revision)).toEqual(
          Array.from({ length: total }, (_, index) => index + 1),
        );
        expect(new Set(changes.map((change) => change.agent.agentId)).size).toBe(total);
      }
    });
  });
}

/** Follows until there are `count` changes. */
async function allAfter(store: AgentStore, revision: number, count: number): Promise<readonly Change[]> {
  const changes: Change[] = [];
  let wake: () => void = () => undefined;
  const off = store.onChange(() => wake());
  try {
    while (changes.length < count) {
      const told = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const more = await store.changesAfter(revision + changes.length);
      changes.push(...more);
      if (more.length === 0) await told;
    }
  } finally {
    off();
  }
  return changes;
}
