import { describe, expect, test } from 'vitest';
import { BoundedMap } from './bounded-map.ts';

describe('BoundedMap', () => {
  test('gives an entry until its end', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1, 1000);
    expect([map.get('a', 999), map.get('a', 1000), map.get('a', 999), map.size]).toEqual([1, undefined, undefined, 0]);
    map.set('b', 2);
    expect([map.get('b', Number.MAX_SAFE_INTEGER), [...map.values()]]).toEqual([2, [2]]);
  });

  test('lets the oldest entry go first, and one that was used a round later', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    expect(map.get('a')).toBe(1);
    map.set('c', 3);
    expect([...map.values()]).toEqual([1, 3]);
    map.set('d', 4);
    expect([...map.values()]).toEqual([3, 4]);
    expect([map.get('c'), map.get('d')]).toEqual([3, 4]);
    map.set('e', 5);
    expect([map.get('c'), map.get('d'), map.get('e'), map.size]).toEqual([undefined, 4, 5, 2]);
  });

  test('replaces, deletes and clears', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1, 10);
    map.set('a', 2, 20);
    map.set('b', 3);
    expect([map.get('a', 15), map.size]).toEqual([2, 2]);
    map.delete('a');
    expect([map.get('a'), map.size]).toEqual([undefined, 1]);
    map.clear();
    expect(map.size).toBe(0);
  });

  test('keeps nothing at a size of 0, and has no other size than a natural number', () => {
    const map = new BoundedMap<string, number>(0);
    map.set('a', 1);
    expect([map.get('a'), map.size]).toEqual([undefined, 0]);
    for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new BoundedMap(size)).toThrow(RangeError);
    }
  });
});
