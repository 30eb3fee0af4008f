import { expect, test } from 'vitest';
import { agent, telemetry } from '../../testing/registry-fixture.ts';
import { encodeChange, encodeRegistered, encodeSeen } from './records.ts';
import { type LogEntry, ReplicaView } from './replica-view.ts';

const one = agent({ agentId: 'a' });

function loaded() {
  return {
    seq: 40,
    revision: 7,
    registered: new Map([['a', encodeRegistered(one)]]),
    seen: new Map([['a', `33 ${encodeSeen(one)}`]]),
    changes: [
      [6, encodeChange({ type: 'REGISTERED', agent: one, atMs: 1 })],
      [7, encodeChange({ type: 'UPDATED', agent: one, atMs: 2 })],
    ] as const,
  };
}

const seen = (seq: number, active: number): LogEntry => ({
  seq,
  kind: 'seen',
  text: `a ${encodeSeen({ ...one, telemetry: telemetry({ active }) })}`,
});
const removed = (seq: number, revision: number): LogEntry => ({
  seq,
  kind: 'change',
  text: `${revision} ${encodeChange({ type: 'DEREGISTERED', agent: one, atMs: 3 })}`,
});

test('what was loaded is there: agents, the seq of their latest write, the kept changes', () => {
  const view = new ReplicaView(loaded(), 100);
  expect(view.index.get('a')).toEqual(one);
  expect(view.seqOf('a')).toBe(33);
  expect(view.log.after(5).map(({ revision }) => revision)).toEqual([6, 7]);
  expect(() => view.log.after(4)).toThrow('Changes are kept from revision 5 on');
});

test('entries are applied once, in order, and one that is missing is noticed', () => {
  const view = new ReplicaView(loaded(), 100);
  expect(view.apply(seen(41, 1))).toBe('applied');
  expect(view.apply(seen(41, 9))).toBe('known');
  expect(view.apply(seen(43, 2))).toBe('missed');
  expect(view.index.get('a')?.telemetry?.active).toBe(1);
  expect(view.seqOf('a')).toBe(41);
  expect(view.apply(removed(42, 8))).toBe('applied');
  expect(view.index.get('a')).toBeUndefined();
  expect(view.seqOf('a')).toBeUndefined();
  // A heartbeat never brings an agent back.
  expect(view.apply(seen(43, 2))).toBe('applied');
  expect(view.index.get('a')).toBeUndefined();
  expect(view.log.revision).toBe(8);
});
