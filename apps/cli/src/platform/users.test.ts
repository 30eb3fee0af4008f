import { expect, test } from 'vitest';
import { chooseUsers } from './users.ts';

test('as root every process gets a uid of its own', () => {
  const users = chooseUsers({ root: true, data: '/a', passwd: 'root:x:0:0::/root:/bin/sh\n' });
  const all = [users.authority, users.orchestrator, users.worker, users.registry, ...users.attempts];
  expect(users.separated).toBe(true);
  expect(new Set(all).size).toBe(all.length);
  expect(all).not.toContain(0);
});

test('a uid that an account holds is never used', () => {
  const free = chooseUsers({ root: true, data: '/a', passwd: '' });
  const users = chooseUsers({ root: true, data: '/a', passwd: `someone:x:${free.worker}:100::/:/bin/sh\n` });
  expect([users.authority, users.orchestrator, users.worker, users.registry, ...users.attempts]).not.toContain(
    free.worker,
  );
});

test('without root everything runs as the caller, and says so', () => {
  const users = chooseUsers({ root: false, data: '/a' });
  expect(users.separated).toBe(false);
  expect(users.worker).toBe(process.getuid?.());
});

test('a platform finds its own uids again, and another platform has others', () => {
  const of = (data: string): number => chooseUsers({ root: true, data, passwd: '' }).worker;
  expect(of('/a')).toBe(of('/a'));
  expect(of('/b')).not.toBe(of('/a'));
});
