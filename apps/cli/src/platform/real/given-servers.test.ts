import { expect, test } from 'vitest';
import { givenOpenBao, givenRedis } from './given-servers.ts';

const FILE = import.meta.filename;
const OPENBAO = { VAULT_ADDR: 'https://127.0.0.1:8200', VAULT_CACERT: FILE, VAULT_TOKEN: 'a-token' };
const REDIS = {
  REDIS_HOST: '127.0.0.1',
  REDIS_PORT: '6379',
  REDIS_CACERT: FILE,
  REDIS_USERNAME: 'admin',
  REDIS_PASSWORD: 'a-password',
};

test('what `npm run real -- env` prints names a server, and without it there is none', () => {
  expect(givenOpenBao(OPENBAO)).toMatchObject({ address: 'https://127.0.0.1:8200', caFile: FILE });
  expect(givenOpenBao(OPENBAO)?.rootToken.reveal()).toBe('a-token');
  expect(givenRedis(REDIS)).toMatchObject({ host: '127.0.0.1', port: 6379, admin: { username: 'admin' } });
  expect(givenOpenBao({})).toBeUndefined();
  expect(givenRedis({ ...REDIS, REDIS_HOST: '' })).toBeUndefined();
});

test('a server of another machine is refused, whose leases would be ended', () => {
  expect(() => givenOpenBao({ ...OPENBAO, VAULT_ADDR: 'https://vault.example.com:8200' })).toThrow(
    'VAULT_ADDR names vault.example.com: only a server of this machine',
  );
  expect(() => givenRedis({ ...REDIS, REDIS_HOST: '10.0.0.1' })).toThrow('REDIS_HOST names 10.0.0.1');
});

test('half of what is needed, or a file that is not there, is named, and no secret is', () => {
  const said = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      return String(error);
    }
    return '';
  };
  const without = said(() => givenOpenBao({ ...OPENBAO, VAULT_CACERT: '' }));
  expect(without).toContain('VAULT_ADDR is set, and VAULT_CACERT is needed with it');
  expect(without).not.toContain('a-token');
  expect(said(() => givenRedis({ ...REDIS, REDIS_CACERT: '/nowhere' }))).toContain('/nowhere, which is not there');
  expect(said(() => givenRedis({ ...REDIS, REDIS_PORT: 'x' }))).toBe('Error: REDIS_PORT is not a port');
});
