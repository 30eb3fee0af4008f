import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { EventChannel, events } from './events.ts';

test('an event reaches every listener until it leaves, and is not made while nobody listens', () => {
  const channel = new EventChannel<{ readonly number: number }>('neural-hive:test.events');
  const heard: string[] = [];
  let made = 0;
  const make = () => {
    made += 1;
    return { number: made };
  };
  channel.publish(make);
  expect(made).toBe(0);
  const leave = channel.subscribe(({ number }) => heard.push(`first ${number}`));
  const leaveToo = channel.subscribe(({ number }) => heard.push(`second ${number}`));
  channel.publish(make);
  leave();
  channel.publish(make);
  leaveToo();
  channel.publish(make);
  expect(heard).toEqual(['first 1', 'second 1', 'second 2']);
  expect(made).toBe(2);
});

test('the channels are those of node:diagnostics_channel, under their documented names', () => {
  expect(Object.values(events).map(({ name }) => name)).toEqual([
    'neural-hive:spiffe.svid',
    'neural-hive:spiffe.bundle',
    'neural-hive:vault.request',
    'neural-hive:vault.token',
    'neural-hive:lease',
    'neural-hive:credential.rotation',
    'neural-hive:auth.decision',
  ]);
  const heard: unknown[] = [];
  const listener = (message: unknown): void => void heard.push(message);
  subscribe('neural-hive:vault.request', listener);
  events.vaultRequest.publish(() => ({ operation: 'kv.read', status: 'success', durationMs: 1 }));
  unsubscribe('neural-hive:vault.request', listener);
  events.vaultRequest.publish(() => ({ operation: 'kv.list', status: 'success', durationMs: 1 }));
  expect(heard).toEqual([{ operation: 'kv.read', status: 'success', durationMs: 1 }]);
});
