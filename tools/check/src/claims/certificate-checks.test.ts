import { expect, test } from 'vitest';
import { inMemory, isCode, openRepository, type Repository } from '../repository.ts';

/** What turns off a check of TLS, in the ways that Node and its libraries know. */
const TURNED_OFF =
  /rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity:\s*\(\)|insecureSkipVerify|tlsAllowInvalid|tlsInsecure/;

/** Where the chain and the SPIFFE ID are verified by the library itself, before a byte is taken from the peer. */
const VERIFIED_BY_ID = [
  'libraries/security/src/spiffe/federation/endpoint-connection.ts',
  'libraries/security/src/tls/guard.ts',
];

function turnedOffIn(repository: Repository): string[] {
  return repository.files.filter(
    (file) =>
      isCode(file) &&
      /^(apps|infrastructure|libraries|services)\//.test(file) &&
      !/\.test\.ts$|\/testing\/|\/e2e\//.test(file) &&
      // A comment may say why it is not.
      TURNED_OFF.test(repository.read(file).replaceAll(/^\s*(?:\/\/|\*).*$/gm, '')),
  );
}

test('item 31: the check of a certificate is turned off nowhere but where a SPIFFE ID is checked instead', () => {
  const off = 'libraries/a/src/client.ts';
  expect(
    turnedOffIn(inMemory({ [off]: 'connect({ rejectUnauthorized: false })', 'libraries/b/src/c.ts': '' })),
  ).toEqual([off]);
  expect(turnedOffIn(openRepository(process.cwd()))).toEqual(VERIFIED_BY_ID);
});
