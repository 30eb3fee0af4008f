import { describe, expect, test, vi } from 'vitest';
import { command, OTHER_WORKER, openRegistry, WORKER } from '../testing/registry-fixture.ts';
import type { AgentType } from './agent.ts';
import type { Change } from './change-log.ts';
import type { Watchers } from './watchers.ts';

function watching(
  watchers: Watchers,
  {
    caller = 'spiffe://neural-hive.local/operator',
    afterRevision = 0,
    type,
    agentId,
  }: { caller?: string; afterRevision?: number; type?: AgentType; agentId?: string } = {},
): { next(): Promise<Change>; stop(): Promise<void> } {
  const stopping = new AbortController();
  const stream = watchers.watch({ caller, type, agentId, afterRevision, signal: stopping.signal });
  return {
    async next() {
      const { value } = await stream.next();
      if (value === undefined) throw new Error('the stream has ended');
      return value;
    },
    async stop() {
      stopping.abort();
      while (!(await stream.next()).done);
    },
  };
}

describe('WatchAgents', () => {
  test('starts with the agents that are there, then follows', async () => {
    const { registry, watchers } = await openRegistry();
    await registry.register(WORKER, command({ instanceId: 'a' }));
    await registry.register(WORKER, command({ instanceId: 'b' }));
    const watch = watching(watchers);
    const snapshot = [await watch.next(), await watch.next()];
    expect(snapshot.map(({ agent }) => agent.instanceId).sort()).toEqual(['a', 'b']);
    // Resuming after a part of the snapshot must bring all of it again.
    expect(snapshot.map(({ revision }) => revision)).toEqual([0, 2]);
    const following = watch.next();
    await registry.register(WORKER, command({ instanceId: 'c' }));
    expect(await following).toMatchObject({ type: 'REGISTERED', revision: 3, agent: { instanceId: 'c' } });
    await watch.stop();
    expect(watchers.count).toBe(0);
  });

  test('resumes behind any revision without a gap', async () => {
    const { registry, watchers } = await openRegistry();
    for (const instanceId of 'abcde') await registry.register(WORKER, command({ instanceId }));
    const watch = watching(watchers, { afterRevision: 2 });
    const revisions = [await watch.next(), await watch.next(), await watch.next()].map(({ revision }) => revision);
    expect(revisions).toEqual([3, 4, 5]);
    await watch.stop();
  });

  test('refuses a revision that is not kept any more', async () => {
    const { registry, watchers } = await openRegistry({ keptChanges: 2 });
    for (const instanceId of 'abcd') await registry.register(WORKER, command({ instanceId }));
    await expect(watching(watchers, { afterRevision: 1 }).next()).rejects.toMatchObject({ code: 'revision_lost' });
    await expect(watching(watchers, { afterRevision: 9 }).next()).rejects.toMatchObject({ code: 'revision_lost' });
    expect(watchers.count).toBe(0);
  });

  test('of one agent brings that agent and nothing of the others', async () => {
    const { registry, watchers } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command({ instanceId: 'a' }));
    await registry.register(WORKER, command({ instanceId: 'b' }));
    const watch = watching(watchers, { agentId });
    expect(await watch.next()).toMatchObject({ type: 'REGISTERED', revision: 2, agent: { instanceId: 'a' } });
    const following = watch.next();
    await registry.register(WORKER, command({ instanceId: 'b', version: '2' }));
    await registry.register(WORKER, command({ instanceId: 'a', version: '2' }));
    expect(await following).toMatchObject({ type: 'UPDATED', revision: 4, agent: { instanceId: 'a' } });
    await watch.stop();
  });

  test('of one type tells of the agent that leaves the type, and then of it no more', async () => {
    const { registry, watchers } = await openRegistry();
    await registry.register(WORKER, command());
    const watch = watching(watchers, { type: 'WORKER' });
    await watch.next();
    const following = watch.next();
    await registry.register(WORKER, command({ type: 'SCOUT' }));
    await registry.register(WORKER, command({ type: 'SCOUT', version: '2' }));
    await registry.register(WORKER, command({ type: 'WORKER' }));
    expect(await following).toMatchObject({ type: 'UPDATED', revision: 2, agent: { type: 'SCOUT' } });
    expect(await watch.next()).toMatchObject({ type: 'UPDATED', revision: 4, agent: { type: 'WORKER' } });
    await watch.stop();
  });

  test('an identity may have only so many streams', async () => {
    const { registry, watchers } = await openRegistry();
    await registry.register(WORKER, command());
    const open = [watching(watchers), watching(watchers), watching(watchers)];
    for (const watch of open) await watch.next();
    await expect(watching(watchers).next()).rejects.toMatchObject({ code: 'too_many' });
    await open[0]?.stop();
    const again = watching(watchers);
    await again.next();
    await Promise.all([again, ...open.slice(1)].map((watch) => watch.stop()));
  });
});

describe('NotifyAgent', () => {
  const notification = { type: 'drain', message: 'stop taking tickets', metadata: { why: 'upgrade' } };

  test('reaches the streams of the identity that registered the agent, and nobody else', async () => {
    const { registry, watchers } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    const own = watching(watchers, { caller: WORKER });
    const other = watching(watchers, { caller: OTHER_WORKER });
    await Promise.all([own.next(), other.next()]);
    expect(await registry.notify(agentId, notification)).toBe(true);
    expect(await own.next()).toMatchObject({ type: 'NOTIFIED', revision: 2, agent: { agentId }, notification });
    const following = other.next();
    await registry.deregister(WORKER, agentId);
    expect(await following).toMatchObject({ type: 'DEREGISTERED', revision: 3 });
    await Promise.all([own.stop(), other.stop()]);
  });

  test('reaches the stream that is for the agent, and none that is for another', async () => {
    const { registry, watchers } = await openRegistry();
    const a = await registry.register(WORKER, command({ instanceId: 'a' }));
    const b = await registry.register(WORKER, command({ instanceId: 'b' }));
    const own = watching(watchers, { caller: WORKER, agentId: a.agentId });
    // Whoever may read an agent may watch it, and is not taken for the agent.
    const stranger = watching(watchers, { caller: OTHER_WORKER, agentId: b.agentId });
    await Promise.all([own.next(), stranger.next()]);
    expect(await registry.notify(b.agentId, notification)).toBe(false);
    expect(await registry.notify(a.agentId, notification)).toBe(true);
    expect(await own.next()).toMatchObject({ type: 'NOTIFIED', agent: { agentId: a.agentId }, notification });
    await own.stop();
    expect(await registry.notify(a.agentId, notification)).toBe(false);
    await stranger.stop();
  });

  test('is not lost between the agents of now and the changes that follow', async () => {
    const { registry, watchers, store } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    const watch = watching(watchers, { caller: WORKER });
    const { announceWatch } = store;
    vi.spyOn(store, 'announceWatch').mockImplementation(async (name) => {
      const leave = await announceWatch.call(store, name);
      expect(await registry.notify(agentId, notification)).toBe(true);
      return leave;
    });
    expect(await watch.next()).toMatchObject({ type: 'REGISTERED' });
    expect(await watch.next()).toMatchObject({ type: 'NOTIFIED', notification });
    await watch.stop();
  });

  test('says when nobody listens, and keeps nothing', async () => {
    const { registry, store } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    expect(await registry.notify(agentId, notification)).toBe(false);
    expect(await store.changesAfter(1)).toEqual([]);
    await expect(registry.notify('00000000-0000-8000-8000-000000000000', notification)).rejects.toMatchObject({
      code: 'unknown_agent',
    });
  });
});
