import { describe, expect, test } from 'vitest';
import { command, OTHER_WORKER, openRegistry, WORKER } from '../testing/registry-fixture.ts';
import type { Change } from './change-log.ts';
import type { Watchers } from './watchers.ts';

function watching(
  watchers: Watchers,
  {
    caller = 'spiffe://neural-hive.local/operator',
    afterRevision = 0,
  }: { caller?: string; afterRevision?: number } = {},
): { next(): Promise<Change>; stop(): Promise<void> } {
  const stopping = new AbortController();
  const stream = watchers.watch({ caller, type: undefined, afterRevision, signal: stopping.signal });
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
