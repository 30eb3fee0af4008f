import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SettledOffsets } from './settled-offsets.ts';

test('the position moves over what is settled, and stops at the first message that is not', () => {
  const offsets = new SettledOffsets();
  expect(offsets.position).toBeUndefined();
  for (const offset of [10n, 11n, 12n, 13n]) expect(offsets.add(offset)).toBe(true);
  expect(offsets.position).toBe(10n);
  offsets.settle(12n);
  offsets.settle(11n);
  expect(offsets.position).toBe(10n);
  offsets.settle(10n);
  expect(offsets.position).toBe(13n);
  offsets.settle(13n);
  expect([offsets.position, offsets.open]).toEqual([14n, 0]);
});

test('a message that comes again while it is open is not taken twice, and one that is done is', () => {
  const offsets = new SettledOffsets();
  offsets.add(1n);
  offsets.add(2n);
  offsets.settle(2n);
  expect([offsets.add(1n), offsets.add(2n)]).toEqual([false, false]);
  offsets.settle(1n);
  expect([offsets.add(1n), offsets.position]).toEqual([true, 1n]);
});

test('a topic that begins anew is read from its beginning', () => {
  const offsets = new SettledOffsets();
  offsets.add(900n);
  offsets.settle(900n);
  expect(offsets.add(0n)).toBe(true);
  offsets.settle(0n);
  expect(offsets.position).toBe(1n);
});

test('offsets beyond what a number holds are kept apart', () => {
  const offsets = new SettledOffsets();
  const large = 2n ** 62n;
  offsets.add(large);
  offsets.add(large + 1n);
  offsets.settle(large);
  expect(offsets.position).toBe(large + 1n);
});

test('in any order, no message is passed that is not settled, and nothing settled holds the position back', () => {
  const offset = fc.integer({ min: 0, max: 30 });
  const step = fc.record({ add: fc.boolean(), offset });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const offsets = new SettledOffsets();
      const open = new Set<number>();
      for (const { add, offset } of steps) {
        if (add && offsets.add(BigInt(offset))) open.add(offset);
        if (!add) {
          offsets.settle(BigInt(offset));
          open.delete(offset);
        }
        const { position } = offsets;
        expect(offsets.open).toBe(open.size);
        if (open.size > 0) expect(position).toBe(BigInt(Math.min(...open)));
      }
    }),
  );
});
