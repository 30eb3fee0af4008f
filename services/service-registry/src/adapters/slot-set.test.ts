import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlotSet } from './slot-set.ts';

test('has the members that a plain set has, through every way of growing and thinning', () => {
  const step = fc.record({ slot: fc.nat(400), slots: fc.integer({ min: 401, max: 60_000 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const set = new SlotSet();
      const expected = new Set<number>();
      for (const { slot, slots } of steps) {
        if (expected.delete(slot)) set.delete(slot, slots);
        else {
          expected.add(slot);
          set.add(slot, slots);
        }
        expect(set.size).toBe(expected.size);
      }
      expect([...set].sort((a, b) => a - b)).toEqual([...expected].sort((a, b) => a - b));
      for (let slot = 0; slot <= 400; slot += 1) expect(set.has(slot)).toBe(expected.has(slot));
    }),
  );
});

test('every slot of a word is found, the highest one too', () => {
  const set = new SlotSet();
  for (let slot = 0; slot < 64; slot += 1) set.add(slot, 64);
  expect([...set]).toEqual(Array.from({ length: 64 }, (_, slot) => slot));
  expect(set.has(64)).toBe(false);
  for (let slot = 0; slot < 63; slot += 1) set.delete(slot, 64);
  expect([...set]).toEqual([63]);
});
