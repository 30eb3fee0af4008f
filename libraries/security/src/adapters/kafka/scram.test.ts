import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { authenticateScram } from './scram.ts';

/** A broker that knows the password, as RFC 5802 section 3 has it; `change` spoils one of its messages. */
function broker(password: string, change: (message: string, number: number) => string = (message) => message) {
  const salted = pbkdf2Sync(password, 'salt', 4_096, 64, 'sha512');
  const hmac = (key: Buffer, text: string) => createHmac('sha512', key).update(text).digest();
  let transcript = '';
  let messages = 0;
  const names: string[] = [];
  const exchange = async (message: string): Promise<string> => {
    messages += 1;
    if (messages === 1) {
      const bare = message.slice('n,,'.length);
      names.push(/n=([^,]*)/.exec(bare)?.[1] ?? '');
      const first = `r=${/r=([^,]*)/.exec(bare)?.[1]}more,s=${Buffer.from('salt').toString('base64')},i=4096`;
      const sent = change(first, 1);
      transcript = `${bare},${sent}`;
      return sent;
    }
    const [bare = '', proof = ''] = message.split(',p=');
    transcript += `,${bare}`;
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha512').update(clientKey).digest(), transcript);
    const shown = Buffer.from(proof, 'base64').map((byte, index) => byte ^ (signature[index] ?? 0));
    if (!clientKey.equals(shown)) throw new Error('wrong password');
    return change(`v=${hmac(hmac(salted, 'Server Key'), transcript).toString('base64')}`, 2);
  };
  return { exchange, names };
}

const login = (username: string) => ({ username, password: new Secret('pencil') });

test('both sides show that they know the password, and a name keeps its commas', async () => {
  const { exchange, names } = broker('pencil');
  await authenticateScram(login('a=b,c'), exchange);
  expect(names).toEqual(['a=3Db=2Cc']);
  await expect(authenticateScram(login('a'), broker('other').exchange)).rejects.toThrow('wrong password');
});

test.each([
  ['a nonce that is not ours', 1, /r=/, 'r=x'],
  ['fewer iterations than are safe', 1, /i=4096/, 'i=1'],
  ['more iterations than can be meant', 1, /i=4096/, 'i=99999999'],
  ['no salt', 1, /,s=[^,]*/, ''],
  ['a signature of somebody who does not know the password', 2, /v=./, 'v=~'],
  ['no signature', 2, /v=.*/, ''],
])('a broker with %s is refused', async (_, at, pattern, replacement) => {
  const change = (message: string, number: number) => (number === at ? message.replace(pattern, replacement) : message);
  await expect(authenticateScram(login('a'), broker('pencil', change).exchange)).rejects.toMatchObject({
    code: 'bad-response',
  });
});
