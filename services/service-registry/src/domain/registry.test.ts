import { describe, expect, test } from 'vitest';
import { command, OTHER_WORKER, openRegistry, TIMING, telemetry, WORKER } from '../testing/registry-fixture.ts';
import { sweepAgents } from './health-sweep.ts';

const discover = (capabilities: readonly string[], filters = {}) => ({ capabilities, filters, maxResults: 0 });

describe('Register', () => {
  test('the same instance registers again as the same agent, and keeps the time of its first registration', async () => {
    const { registry, store, clock } = await openRegistry();
    const first = await registry.register(WORKER, command());
    await clock.advance(1_000);
    const second = await registry.register(WORKER, command());
    expect(second.agentId).toBe(first.agentId);
    expect(second.registeredAtMs).toBe(first.registeredAtMs);
    expect(second.lastSeenMs).toBe(first.lastSeenMs + 1_000);
    expect((await store.changesAfter(0)).map(({ type }) => type)).toEqual(['REGISTERED']);
  });

  test('a changed description is an update that watchers are told of', async () => {
    const { registry, store } = await openRegistry();
    await registry.register(WORKER, command());
    await registry.register(WORKER, command({ capabilities: ['deploy'] }));
    expect((await store.changesAfter(0)).map(({ type }) => type)).toEqual(['REGISTERED', 'UPDATED']);
    expect(await registry.discover(discover(['build']))).toHaveLength(0);
    expect(await registry.discover(discover(['deploy']))).toHaveLength(1);
  });

  test('another identity or instance is another agent', async () => {
    const { registry } = await openRegistry();
    const ids = await Promise.all([
      registry.register(WORKER, command()),
      registry.register(WORKER, command({ instanceId: 'worker-2' })),
      registry.register(OTHER_WORKER, command()),
    ]);
    expect(new Set(ids.map(({ agentId }) => agentId)).size).toBe(3);
  });

  test('an identity may have only so many agents, and may refresh them at the limit', async () => {
    const { registry } = await openRegistry({ maxAgentsPerIdentity: 2 });
    await registry.register(WORKER, command({ instanceId: 'a' }));
    await registry.register(WORKER, command({ instanceId: 'b' }));
    await expect(registry.register(WORKER, command({ instanceId: 'c' }))).rejects.toMatchObject({ code: 'too_many' });
    await registry.register(WORKER, command({ instanceId: 'b' }));
    await registry.register(OTHER_WORKER, command({ instanceId: 'c' }));
  });

  test('the telemetry of the registration counts at once', async () => {
    const { registry } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command({ telemetry: telemetry({ successRate: 0.1 }) }));
    expect(await registry.get(agentId)).toMatchObject({
      status: 'DEGRADED',
      agent: { telemetry: { successRate: 0.1 } },
    });
  });
});

describe('Heartbeat and Deregister', () => {
  test('an agent belongs to the identity that registered it', async () => {
    const { registry } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    expect((await registry.heartbeat(WORKER, agentId, undefined)).status).toBe('HEALTHY');
    await expect(registry.heartbeat(OTHER_WORKER, agentId, undefined)).rejects.toMatchObject({ code: 'not_yours' });
    await expect(registry.deregister(OTHER_WORKER, agentId)).rejects.toMatchObject({ code: 'not_yours' });
    expect((await registry.get(agentId)).agent.spiffeId).toBe(WORKER);
    expect(await registry.deregister(WORKER, agentId)).toBe(true);
    expect(await registry.deregister(WORKER, agentId)).toBe(false);
    await expect(registry.heartbeat(WORKER, agentId, undefined)).rejects.toMatchObject({ code: 'unknown_agent' });
  });

  test('a heartbeat without telemetry keeps the last one and is no illness', async () => {
    const { registry } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    await registry.heartbeat(WORKER, agentId, telemetry({ active: 3 }));
    const seen = await registry.heartbeat(WORKER, agentId, undefined);
    expect(seen).toMatchObject({ status: 'HEALTHY', telemetry: { active: 3 } });
  });

  test('a heartbeat is announced only when it changes the status', async () => {
    const { registry, store } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    await registry.heartbeat(WORKER, agentId, telemetry());
    await registry.heartbeat(WORKER, agentId, telemetry({ successRate: 0.2 }));
    await registry.heartbeat(WORKER, agentId, telemetry({ successRate: 0.3 }));
    expect((await store.changesAfter(0)).map(({ type }) => type)).toEqual(['REGISTERED', 'STATUS_CHANGED']);
  });
});

describe('a silent agent', () => {
  test('is never discovered, is announced UNHEALTHY, then removed; a heartbeat in between brings it back', async () => {
    const { registry, store, clock } = await openRegistry();
    const sweep = () => sweepAgents({ store, timing: TIMING, sinceMs: 0, clock });
    const { agentId } = await registry.register(WORKER, command());
    expect(await registry.discover(discover(['build']))).toHaveLength(1);

    await clock.advance(30_001);
    expect(await registry.discover(discover(['build']))).toHaveLength(0);
    expect((await registry.get(agentId)).status).toBe('UNHEALTHY');
    await sweep();
    await sweep();
    await registry.heartbeat(WORKER, agentId, undefined);
    expect(await registry.discover(discover(['build']))).toHaveLength(1);

    await clock.advance(60_000);
    await sweep();
    expect(await registry.discover(discover(['build']))).toHaveLength(0);
    expect((await registry.get(agentId)).status).toBe('UNHEALTHY');
    await clock.advance(1);
    await sweep();
    await expect(registry.get(agentId)).rejects.toMatchObject({ code: 'unknown_agent' });
    expect((await store.changesAfter(0)).map(({ type, agent }) => `${type} ${agent.status}`)).toEqual([
      'REGISTERED HEALTHY',
      'STATUS_CHANGED UNHEALTHY',
      'STATUS_CHANGED HEALTHY',
      'STATUS_CHANGED UNHEALTHY',
      'DEREGISTERED UNHEALTHY',
    ]);
  });

  test('is not removed before it had time to come back from an outage of the registry', async () => {
    const { registry, store, clock } = await openRegistry();
    const { agentId } = await registry.register(WORKER, command());
    await clock.advance(3_600_000);
    const sinceMs = clock.now();
    await sweepAgents({ store, timing: TIMING, sinceMs, clock });
    expect((await registry.get(agentId)).status).toBe('UNHEALTHY');
    await clock.advance(60_001);
    await sweepAgents({ store, timing: TIMING, sinceMs, clock });
    await expect(registry.get(agentId)).rejects.toMatchObject({ code: 'unknown_agent' });
  });
});

describe('DiscoverAgents and ListAgents', () => {
  test('an agent must hold all capabilities and pass the filters', async () => {
    const { registry } = await openRegistry();
    await registry.register(WORKER, command({ instanceId: 'a', capabilities: ['build'] }));
    await registry.register(WORKER, command({ instanceId: 'b', capabilities: ['build', 'test'], cluster: 'east' }));
    await registry.register(WORKER, command({ instanceId: 'c', capabilities: ['build', 'test'], cluster: 'west' }));
    const instances = async (...args: Parameters<typeof discover>): Promise<string[]> =>
      (await registry.discover(discover(...args))).map(({ candidate }) => candidate.agent.instanceId).sort();
    expect(await instances(['build'])).toEqual(['a', 'b', 'c']);
    expect(await instances(['test', 'build'])).toEqual(['b', 'c']);
    expect(await instances(['build', 'test'], { cluster: 'west' })).toEqual(['c']);
    expect(await instances(['build', 'deploy'])).toEqual([]);
    await expect(registry.discover(discover([]))).rejects.toMatchObject({ code: 'invalid' });
  });

  test('pages join without a gap or a repetition, and the last one says so', async () => {
    const { registry } = await openRegistry();
    for (const name of 'abcdefg') {
      await registry.register(WORKER, command({ instanceId: name, cluster: name < 'f' ? 'x' : 'y' }));
    }
    const seen: string[] = [];
    let pages = 0;
    let afterId: string | undefined = '';
    while (afterId !== undefined) {
      const page: Awaited<ReturnType<typeof registry.list>> = await registry.list({
        type: undefined,
        filters: { cluster: 'x' },
        pageSize: 2,
        afterId,
      });
      seen.push(...page.agents.map(({ agent }) => agent.instanceId));
      afterId = page.nextAfterId;
      pages += 1;
    }
    expect(seen.sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(pages).toBe(3);
    const none = await registry.list({ type: 'SCOUT', filters: {}, pageSize: 0, afterId: '' });
    expect(none).toEqual({ agents: [], nextAfterId: undefined });
  });
});
