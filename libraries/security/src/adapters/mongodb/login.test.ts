import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { parseMongoLogin } from './index.ts';

test('a stored login is a name and a hidden password', () => {
  const login = parseMongoLogin({ username: 'orders', password: 'hunter2', note: 'more' });
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
  expect(() => parseMongoLogin(stored)).toThrow(TypeError);
  expect(() => parseMongoLogin(stored)).toThrow(field);
  expect(() => parseMongoLogin(stored)).not.toThrow(/hunter2|orders/);
});
