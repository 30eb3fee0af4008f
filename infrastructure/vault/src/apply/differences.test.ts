import { describe, expect, test } from 'vitest';
import { differencesOf } from './differences.ts';

describe('equal is what the server means to be equal', () => {
  test.each([
    ['lists in another order', ['a', 'b'], ['b', 'a']],
    ['a list as one text', ['a', 'b'], 'b,a'],
    ['seconds as a Go duration', 5400, '1h30m'],
    ['seconds as text', 90, '90'],
    ['nothing in its several spellings', [], null],
    ['a text with its last line end', 'pem\n', 'pem'],
    ['an object of which the server answers more', { provider: 'spiffe' }, { provider: 'spiffe', more: '' }],
    ['a text that is escaped as in a URL', 'host=/a b user={{username}}', 'host=/a%20b%20user=%7B%7Busername%7D%7D'],
  ])('%s', (_, wanted, found) => {
    expect(differencesOf({ field: wanted }, { field: found })).toEqual([]);
  });

  test('what the plugin answers one level deeper is compared there', () => {
    const answered = { connection_details: { username: 'admin' } };
    expect(differencesOf({ username: 'admin' }, answered)).toEqual([]);
    expect(differencesOf({ username: 'other' }, answered)).toEqual(['username']);
  });

  test('a field that the server does not answer cannot be compared', () => {
    expect(differencesOf({ password: 'x' }, {})).toEqual([]);
  });
});

describe('a difference is named', () => {
  test.each([
    ['another number', 90, 91],
    ['another duration', 90, '2m'],
    ['one value more', ['a'], ['a', 'b']],
    ['a flag', true, false],
    ['something in the place of nothing', '', 'x'],
    ['a text in place of an object', { a: 1 }, 'a'],
  ])('%s', (_, wanted, found) => {
    expect(differencesOf({ field: wanted }, { field: found })).toEqual(['field']);
  });

  test('statements run in their order, so the order counts', () => {
    const [wanted, found] = [{ creation_statements: ['a', 'b'] }, { creation_statements: ['b', 'a'] }];
    expect(differencesOf(wanted, found)).toEqual(['creation_statements']);
    expect(differencesOf(wanted, wanted)).toEqual([]);
  });
});
