import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { parseKafkaLogin } from '../adapters/kafka/index.ts';
import { parseMongoLogin } from '../adapters/mongodb/index.ts';
import { parseLogin } from './index.ts';

test('a stored login is a name and a hidden password', () => {
  const login = parseLogin({ username: 'orders', password: 'hunter2', note: 'more' });
  expect(login.username).toBe('orders');
  expect(login.password.reveal()).toBe('hunter2');
  expect(inspect(login)).not.toContain('hunter2');
});

test.each([
  ['username', { password: 'hunter2' }],
  ['username', { username: '', password: 'hunter2' }],
  ['password', { username: 'orders' }],
  ['password', { username: 'orders', password: 5 }],
])('without a fitting %s it is refused, and the refusal shows nothing of it', (field, stored) => {
  expect(() => parseLogin(stored)).toThrow(TypeError);
  expect(() => parseLogin(stored)).toThrow(field);
  expect(() => parseLogin(stored)).not.toThrow(/hunter2|orders/);
});

test('one reader serves every driver whose login is kept in KV', () => {
  expect([parseKafkaLogin, parseMongoLogin]).toEqual([parseLogin, parseLogin]);
});
