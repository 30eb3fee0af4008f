import { expect, test } from 'vitest';
import { agent } from '../testing/registry-fixture.ts';
import { type Change, ChangeLog } from './change-log.ts';

const change = (revision: number): Change => ({ revision, type: 'UPDATED', agent: agent(), atMs: revision });

test('changes come back from any kept revision, without a gap', () => {
  const log = new ChangeLog();
  for (let revision = 1; revision <= 5; revision += 1) log.append(change(revision));
  expect(log.after(0).map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5]);
  expect(log.after(3).map(({ revision }) => revision)).toEqual([4, 5]);
  expect(log.after(2, 2).map(({ revision }) => revision)).toEqual([3, 4]);
  expect(log.after(5)).toEqual([]);
});

test('a revision that is not kept, or not reached, is refused with what to do', () => {
  const log = new ChangeLog({ capacity: 2 });
  for (let revision = 1; revision <= 4; revision += 1) log.append(change(revision));
  expect(log.floor).toBe(2);
  expect(log.after(2).map(({ revision }) => revision)).toEqual([3, 4]);
  expect(() => log.after(1)).toThrow('watch again with after_revision 0');
  expect(() => log.after(5)).toThrow('has not been reached');
});

test('a change that does not follow the last one is a defect', () => {
  const log = new ChangeLog({ revision: 7 });
  log.append(change(8));
  expect(() => log.append(change(10))).toThrow(RangeError);
});
