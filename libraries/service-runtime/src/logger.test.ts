import { Secret } from '@neural-hive/security/common';
import { expect, test } from 'vitest';
import { createLogger, scrubSecrets } from './logger.ts';

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzcGlmZmU6Ly9hL2IifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg';
const VAULT_TOKEN = 'hvs.CAESIJ0123456789abcdef';

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger({ name: 'test', level: 'trace', stream: { write: (line) => void lines.push(line) } }));
  return lines.join('');
}

test('a line is one JSON object with the name, the level and the time', () => {
  const line = JSON.parse(logged((log) => log.info({ agentId: 'a' }, 'registered')));
  expect(line).toMatchObject({ name: 'test', level: 'info', agentId: 'a', msg: 'registered' });
  expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
});

test('fields that are named like secrets are removed, two levels deep', () => {
  const text = logged((log) => {
    log.info({ password: 'hunter2', lease: { password: 'hunter2', data: { private_key: 'hunter2' } } }, 'leased');
    log.info({ headers: { authorization: 'Bearer hunter2' }, held: new Secret('hunter2') }, 'asked');
  });
  expect(text).toContain('leased');
  expect(text).not.toContain('hunter2');
});

test('what looks like a secret is removed wherever it stands', () => {
  const pem = '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----';
  const error = new Error(`login with ${JWT} failed`, {
    cause: new Error(`postgres://user:hunter2@host/db and ${pem}`),
  });
  const text = logged((log) => {
    log.error({ err: error }, `token ${VAULT_TOKEN}`);
    log.error({ note: [`see ${JWT}`] }, 'again');
  });
  expect(text).toContain('login with [jwt] failed');
  expect(text).toContain('token [vault token]');
  for (const secret of [JWT, VAULT_TOKEN, 'hunter2', 'MIGHAgEAMBMGByqGSM49']) expect(text).not.toContain(secret);
});

test('ordinary text is left as it is', () => {
  const text = 'spiffe://neural-hive.local/ns/a/sa/b at https://127.0.0.1:8200/v1/sys/health?standbyok=true';
  expect(scrubSecrets(text)).toBe(text);
});
