import { expect, test } from 'vitest';
import { assertPostgresSocket, assertSocketPath, MAX_SOCKET_PATH_BYTES } from './index.ts';

const pathOf = (bytes: number): string => `/${'a'.repeat(bytes - 1)}`;

test('a socket path may have 103 bytes and no more', () => {
  expect(() => assertSocketPath(pathOf(MAX_SOCKET_PATH_BYTES))).not.toThrow();
  expect(() => assertSocketPath(pathOf(MAX_SOCKET_PATH_BYTES + 1))).toThrow(RangeError);
});

test('bytes are counted, not characters', () => {
  expect(() => assertSocketPath(`/${'a'.repeat(100)}`)).not.toThrow();
  expect(() => assertSocketPath(`/${'ä'.repeat(100)}`)).toThrow(RangeError);
});

test("the socket in a PostgreSQL client's folder is judged, port included", () => {
  const longest = MAX_SOCKET_PATH_BYTES - '/.s.PGSQL.5432'.length;
  expect(() => assertPostgresSocket({ host: pathOf(longest), port: 5432 })).not.toThrow();
  expect(() => assertPostgresSocket({ host: pathOf(longest), port: 15432 })).toThrow(RangeError);
  expect(() => assertPostgresSocket({ host: pathOf(longest + 1), port: 5432 })).toThrow(RangeError);
});

test('a host name of any length is no socket', () => {
  expect(() => assertPostgresSocket({ host: `${'a'.repeat(200)}.test`, port: 5432 })).not.toThrow();
});
