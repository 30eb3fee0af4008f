import { createHash } from 'node:crypto';
import { deadMessage } from '@neural-hive/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readKafkaRecord, unreadableOf } from './kafka-reading.ts';

const schema = z.strictObject({ name: z.string(), schema_version: z.literal(1).default(1) });
const read = (value: Buffer | string | null) =>
  readKafkaRecord({ value: typeof value === 'string' ? Buffer.from(value) : value }, schema, { maxBytes: 200 });

test('a message is read by its schema', () => {
  expect(read('{"name":"a"}')).toEqual({ ok: true, value: { name: 'a', schema_version: 1 } });
});

test.each([
  ['no value', null, 'not-json'],
  ['no JSON', 'hello', 'not-json'],
  ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'not-json'],
  ['the same member twice', '{"name":"a","name":"b"}', 'not-json'],
  ['JSON that is nested too deeply', `${'['.repeat(40)}${']'.repeat(40)}`, 'not-json'],
  ['a schema that is not known', '{"name":"a","schema_version":2}', 'unknown-schema-version'],
  ['a schema version of the wrong type', '{"name":"a","schema_version":"1"}', 'wrong-shape'],
  ['a field of the wrong type', '{"name":1}', 'wrong-shape'],
  ['a field too many', '{"name":"a","other":1}', 'wrong-shape'],
  ['no object', '7', 'wrong-shape'],
  ['more bytes than are taken', `{"name":"${'a'.repeat(200)}"}`, 'too-large'],
])('%s is told apart and never thrown', (_, value, reason) => {
  expect(read(value)).toMatchObject({ ok: false, reason });
});

test('whatever the bytes are, they are read or laid aside as the contract has it, and the problem quotes none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.option(fc.uint8Array()), (bytes, key) => {
      const value = Buffer.from(bytes);
      const reading = read(value);
      if (reading.ok) return;
      const record = { topic: 't', partition: 0, offset: '1', timestamp: '5', key: key && Buffer.from(key), value };
      const dead = unreadableOf(record, reading, { movedBy: 'test', nowMs: 1, maxMessageBytes: 65_536 });
      expect(deadMessage.parse(dead)).toEqual(dead);
      expect(Buffer.from(dead.value ?? '', 'base64')).toEqual(value);
      expect(dead.sha256).toBe(createHash('sha256').update(value).digest('hex'));
    }),
  );
  const secret = read('{"name":{"password":"hunter2"}}');
  expect(secret).toMatchObject({ ok: false, problem: expect.not.stringContaining('hunter2') });
});

test('a message that is too large to be kept is known by its place, size and digest', () => {
  const value = Buffer.alloc(2 * 1024 * 1024, 'a');
  const record = { topic: 't', partition: 4, offset: '12', timestamp: '-1', key: null, value };
  const dead = unreadableOf(
    record,
    { reason: 'too-large', problem: 'x' },
    { movedBy: 'test', nowMs: 1, maxMessageBytes: 65_536 },
  );
  expect(deadMessage.parse(dead)).toMatchObject({
    value: null,
    bytes: value.length,
    source: { topic: 't', partition: 4, offset: '12', timestamp: 0 },
  });
});
