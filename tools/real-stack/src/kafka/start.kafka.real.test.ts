import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Secret } from '@neural-hive/security/common';
import { kafkaScramUsers } from '@neural-hive/security/kafka';
import { expect, test } from 'vitest';
import { startKafka } from './start.ts';

const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('kafka-'));

test('a broker lets in who has the password, over TLS, and leaves nothing when it is stopped', async () => {
  const before = folders();
  const server = await startKafka();
  const { broker, ca, superUser } = server;
  const address = { brokers: [broker], tls: { ca } };
  const users = kafkaScramUsers({ ...address, login: () => superUser });
  expect(await users.list()).toEqual([superUser.username]);
  const wrong = { username: superUser.username, password: new Secret('wrong') };
  const refused = kafkaScramUsers({ ...address, login: () => wrong }).list();
  await expect(refused).rejects.toMatchObject({ code: 'login-refused' });
  const strangers = kafkaScramUsers({ brokers: [broker], tls: {}, login: () => superUser }).list();
  await expect(strangers).rejects.toMatchObject({ code: 'unreachable' });

  const commandLine = readFileSync(`/proc/${server.pid}/cmdline`, 'utf8');
  expect(commandLine).toContain('kafka.Kafka');
  expect(commandLine).not.toContain(superUser.password.reveal());
  await server.stop();
  await server.stop();
  expect(existsSync(`/proc/${server.pid}`)).toBe(false);
  expect(folders()).toEqual(before);
}, 180_000);

test('a Java that does not start is told in one line, without the password', async () => {
  await expect(startKafka({ java: '/bin/false', jars: '/nonexistent' })).rejects.toMatchObject({
    code: 'start_failed',
  });
});
