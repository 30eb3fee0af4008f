import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DevAuthority } from '@neural-hive/dev-authority';
import { startKafka } from '@neural-hive/real-stack';
import type { KvUserStep } from '@neural-hive/security/credentials';
import { kafkaScramUsers } from '@neural-hive/security/kafka';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { expect, test } from 'vitest';
import { rotate } from './rotate.ts';
import { openService } from './service.ts';

const STEPS: readonly KvUserStep[] = ['recorded', 'created', 'written', 'moved', 'deleted'];

test('the service fails nothing while its login is replaced by a program that is killed after each step', {
  timeout: 600_000,
}, async () => {
  const stateFolder = mkdtempSync(join(tmpdir(), 'authority-'));
  await using kafka = await startKafka();
  const authority = await DevAuthority.open({ stateFolder });
  const { address, caPem, rootToken: token } = authority;
  const vault = await VaultClient.open({ address, ca: caPem, auth: tokenAuth({ token }) });
  const { broker, ca, superUser } = kafka;
  const brokers = { brokers: [broker], tls: { ca }, login: () => superUser };
  const config = { brokers: [broker], ssl: { ca }, logLevel: logLevel.NOTHING, connectionTimeout: 20_000 };
  const { username, password } = superUser;
  const admin = new Kafka({
    ...config,
    sasl: { mechanism: 'scram-sha-512', username, password: password.reveal() },
  }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'topic-orders', numPartitions: 2 }], waitForLeaders: true });
  const rule = {
    principal: 'User:template',
    resourcePatternType: ResourcePatternTypes.LITERAL,
    host: '*',
    operation: AclOperationTypes.ALL,
    permissionType: AclPermissionTypes.ALLOW,
  };
  const topic = { ...rule, resourceType: AclResourceTypes.TOPIC, resourceName: 'topic-orders' };
  await admin.createAcls({
    acl: [topic, { ...rule, resourceType: AclResourceTypes.GROUP, resourceName: 'group-orders' }],
  });
  await admin.disconnect();

  await rotate(vault, brokers, { template: 'template' });
  const received = new Set<string>();
  const deliveries = new EventTarget();
  const service = await openService(vault, config, (order) => {
    received.add(order);
    deliveries.dispatchEvent(new Event('order'));
  });
  const failures: unknown[] = [];
  let sent = 0;
  let sending = true;
  const sender = (async () => {
    for (; sending; sent += 1) {
      await service.producer
        .send({ topic: 'topic-orders', messages: [{ value: String(sent) }] })
        .catch((error) => failures.push(error));
    }
  })();
  for (const last of STEPS) {
    const onStep = (step: KvUserStep): void => {
      if (step === last) throw new Error('killed');
    };
    await expect(rotate(vault, brokers, { onStep })).rejects.toThrow('killed');
    const { behind, username: current } = await rotate(vault, brokers);
    expect(behind).toEqual([]);
    expect(service.credential.current().value.username).toBe(current);
    expect((await kafkaScramUsers(brokers).list()).toSorted()).toEqual([current, username].toSorted());
  }
  sending = false;
  await sender;
  while (received.size < sent) await new Promise((done) => deliveries.addEventListener('order', done, { once: true }));
  console.info(`${sent} sent, ${failures.length} failed, 0 lost`);
  expect(failures).toEqual([]);
  await service.consumer.close();
  await service.producer.close();
  await service.credential.close();
  await vault.destroy();
  await authority.close();
  rmSync(stateFolder, { recursive: true });
});

test.each(['service.ts', 'rotate.ts'])('the guide shows %s as it is', (program) => {
  const text = readFileSync(join(import.meta.dirname, program), 'utf8');
  const guide = readFileSync(resolve(import.meta.dirname, '../../docs/guides/rotate-kafka.md'), 'utf8');
  expect(guide).toContain(text.trim());
});
