import pg from 'pg';
import { expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { RotatingCredential } from '../../credentials/index.ts';
import { type PgLogin, rotatePool, rotatingListener, rotatingPool } from './index.ts';

const SHORT = '/tmp/pg';
const LONG = `/${'a'.repeat(100)}`;

function login(): Promise<RotatingCredential<PgLogin>> {
  return RotatingCredential.open<PgLogin>({
    provider: {
      name: 'login',
      obtain: async () => ({
        value: { username: 'u', password: new Secret('p') },
        issuedAtMs: Date.now(),
        expiresAtMs: Date.now() + 90_000,
        revoke: async () => undefined,
      }),
    },
  });
}

test('a pool whose socket has a path over 103 bytes is refused when it is made', async () => {
  await using credential = await login();
  await using fine = rotatingPool(credential, { host: SHORT });
  expect(fine.generation).toBe(1);
  expect(() => rotatingPool(credential, { host: LONG })).toThrow(RangeError);
  expect(() => rotatePool(new pg.Pool({ connectionString: `postgresql:///x?host=${LONG}` }), credential)).toThrow(
    RangeError,
  );
});

test('a listener whose socket has a path over 103 bytes is refused before it connects', async () => {
  await using credential = await login();
  const listen = (host: string) => rotatingListener(credential, { host, port: 1 }, ['c'], () => undefined);
  await expect(listen(SHORT)).rejects.toThrow(/ENOENT/);
  await expect(listen(LONG)).rejects.toThrow(RangeError);
});
