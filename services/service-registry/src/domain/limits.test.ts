import { expect, test } from 'vitest';
import { command, telemetry } from '../testing/registry-fixture.ts';
import { checkDescription, checkedCapabilities, checkedCount, checkNotification, checkTelemetry } from './limits.ts';

test('capabilities are sorted and each is kept once', () => {
  expect(checkedCapabilities(['test', 'build', 'test'])).toEqual(['build', 'test']);
});

test.each([
  [[], 'at least one'],
  [Array.from({ length: 65 }, (_, index) => `c${index}`), 'more than 64'],
  [['has space'], 'a capability must be'],
  [[''], 'a capability must be'],
  [['a'.repeat(129)], 'a capability must be'],
])('capabilities %# are refused', (capabilities, message) => {
  expect(() => checkedCapabilities(capabilities)).toThrow(message);
});

test('every broken rule of a description is named at once', () => {
  expect(() => checkDescription(command(), 'worker-1')).not.toThrow();
  expect(() =>
    checkDescription(
      command({ namespace: 'n'.repeat(129), version: 'v\u0000', metadata: { security_level: 'X' } }),
      '',
    ),
  ).toThrow(/instance_id must not be empty; namespace is longer.*; version holds a control.*; metadata.security_level/);
});

test('metadata is bounded in entries and bytes', () => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, '']));
  expect(() => checkDescription(command({ metadata: many }), 'i')).toThrow('more than 64 entries');
  expect(() => checkDescription(command({ metadata: { k: 'v'.repeat(16_384) } }), 'i')).toThrow('larger than');
});

test('telemetry must be possible', () => {
  expect(() => checkTelemetry(telemetry())).not.toThrow();
  expect(() => checkTelemetry(telemetry({ successRate: 1.1 }))).toThrow('between 0 and 1');
  expect(() => checkTelemetry(telemetry({ successRate: Number.NaN }))).toThrow('between 0 and 1');
  expect(() => checkTelemetry(telemetry({ active: -1 }))).toThrow('active must not be negative');
});

test('a notification has a type and a bounded message', () => {
  expect(() => checkNotification({ type: 'drain', message: 'm', metadata: {} })).not.toThrow();
  expect(() => checkNotification({ type: '', message: 'm', metadata: {} })).toThrow('notification_type');
  expect(() => checkNotification({ type: 't', message: 'm'.repeat(16_385), metadata: {} })).toThrow(
    'message is larger',
  );
});

test('a count of 0 means the default, and one out of range is refused', () => {
  const range = { default: 5, max: 100 };
  expect(checkedCount('max_results', 0, range)).toBe(5);
  expect(checkedCount('max_results', 100, range)).toBe(100);
  expect(() => checkedCount('max_results', 101, range)).toThrow('max_results must be between 1 and 100');
  expect(() => checkedCount('max_results', -1, range)).toThrow('between 1 and 100');
});
