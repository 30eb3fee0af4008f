import fc from 'fast-check';
import { expect, test } from 'vitest';
import { conditionOf } from '../domain/agent.ts';
import { compareScored, matches, parseFilter, scoreOf } from '../domain/discovery.ts';
import { wantedTerms } from '../domain/search-terms.ts';
import { agent, telemetry } from '../testing/registry-fixture.ts';
import { AgentIndex } from './agent-index.ts';

const some = <const T>(...values: readonly T[]) => fc.constantFrom(...values);

const anAgent = fc
  .record({
    agentId: fc.nat(79).map((number) => `agent-${number}`),
    spiffeId: some('spiffe://x/1', 'spiffe://x/2'),
    type: some('WORKER', 'SCOUT'),
    capabilities: fc.uniqueArray(some('build', 'test', 'deploy'), { minLength: 1 }),
    namespace: some('', 'n'),
    cluster: some('east', 'west'),
    version: some('1', '2'),
    level: some(undefined, 'PUBLIC', 'CONFIDENTIAL', 'RESTRICTED'),
    status: some('HEALTHY', 'DEGRADED', 'UNHEALTHY'),
    registeredAtMs: fc.nat(1),
    telemetry: some(undefined, telemetry(), telemetry({ active: 2 }), telemetry({ successRate: 0.3 })),
  })
  .map(({ level, ...rest }) => agent({ ...rest, metadata: { ...(level !== undefined && { security_level: level }) } }));

const aSearch = fc.record({
  capabilities: fc.uniqueArray(some('build', 'test', 'deploy', 'fly'), { minLength: 1 }),
  filters: fc.record(
    {
      agent_type: some('WORKER', 'SCOUT'),
      namespace: some('', 'n', 'x'),
      cluster: some('east', 'west'),
      version: some('1', '2', '3'),
      security_level: some('PUBLIC', 'INTERNAL', 'CONFIDENTIAL', 'RESTRICTED'),
      status: some('HEALTHY', 'DEGRADED', 'UNHEALTHY'),
    },
    { requiredKeys: [] },
  ),
});

test('a search finds exactly the agents that a look at each of them finds, best first, whatever came and went before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anAgent, fc.nat(4)), { maxLength: 160 }),
      aSearch,
      (steps, { capabilities, filters }) => {
        const index = new AgentIndex();
        const there = new Map<string, ReturnType<typeof agent>>();
        for (const [one, stays] of steps) {
          // An id belongs to one identity for ever.
          const owned = { ...one, spiffeId: there.get(one.agentId)?.spiffeId ?? one.spiffeId };
          if (stays > 0) {
            index.put(owned);
            there.set(owned.agentId, owned);
          } else {
            index.remove(owned.agentId);
            there.delete(owned.agentId);
          }
        }
        const filter = parseFilter(filters);
        const expected = [...there.values()]
          .filter(
            (one) =>
              one.status !== 'UNHEALTHY' &&
              capabilities.every((name) => one.capabilities.includes(name)) &&
              matches({ agent: one, status: conditionOf(one) }, filter),
          )
          .map((one) => ({ agent: one, score: scoreOf(one) }))
          .sort(compareScored);
        expect([...index.search(wantedTerms(capabilities, filter))]).toEqual(expected);
        expect(index.page('', 100)).toEqual([...there.values()].sort(byId));
        expect(index.size).toBe(there.size);
        for (const id of ['spiffe://x/1', 'spiffe://x/2']) {
          expect(index.ofIdentity(id)).toBe([...there.values()].filter(({ spiffeId }) => spiffeId === id).length);
        }
      },
    ),
  );
});

test('new figures of an agent are found at once', () => {
  const index = new AgentIndex();
  const before = agent();
  index.put(before);
  index.put({ ...before, telemetry: telemetry({ active: 3 }) });
  expect([...index.search(['capability build'])]).toMatchObject([{ agent: { telemetry: { active: 3 } } }]);
});

test('the best of a hundred are the same, whether few or many of them have what is asked for', () => {
  const index = new AgentIndex();
  const all = Array.from({ length: 100 }, (_, number) =>
    agent({
      agentId: `agent-${number}`,
      capabilities: ['common', ...(number % 50 === 0 ? ['rare'] : [])],
      telemetry: telemetry({ active: number % 4 }),
      registeredAtMs: 1_000 - number,
    }),
  );
  for (const one of all) index.put(one);
  const sorted = all.map((one) => ({ agent: one, score: scoreOf(one) })).sort(compareScored);
  expect([...index.search(['capability common'])]).toEqual(sorted);
  expect([...index.search(['capability rare', 'capability common'])]).toEqual(
    sorted.filter(({ agent: { capabilities } }) => capabilities.includes('rare')),
  );
});

test('a page starts behind an id that is there no more', () => {
  const index = new AgentIndex();
  for (const agentId of ['d', 'b', 'a', 'c']) index.put(agent({ agentId }));
  index.remove('b');
  expect(index.page('b', 1).map(({ agentId }) => agentId)).toEqual(['c']);
  expect(index.page('d', 1)).toEqual([]);
});

function byId(a: { agentId: string }, b: { agentId: string }): number {
  return a.agentId < b.agentId ? -1 : 1;
}
