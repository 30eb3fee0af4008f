import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { KV_PATHS, TOPICS } from '@neural-hive/contracts';
import { type OpenBaoServer, startOpenBao } from '@neural-hive/real-stack';
import { kvSecret, RotatingCredential } from '@neural-hive/security/credentials';
import { type KafkaLogin, parseKafkaLogin } from '@neural-hive/security/kafka';
import { parseMongoLogin } from '@neural-hive/security/mongodb';
import { X509Source } from '@neural-hive/security/spiffe';
import { tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { Kafka, logLevel } from 'kafkajs';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startDatabase } from '../database.ts';
import { type Home, locateHome, makeHome } from '../home.ts';
import { applySetup } from '../secrets-setup.ts';
import { chooseUsers } from '../users.ts';
import { type Identities, startIdentities } from './identities.ts';
import { type MessageBroker, startMessageBroker } from './message-broker.ts';
import { type PlanStore, startPlanStore } from './plan-store.ts';
import type { RotatorPlace } from './user-rotator.ts';
import { prepareWorkflowStore, startWorkflowServer, type WorkflowServer } from './workflow-server.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 600_000 });

const data = mkdtempSync('/tmp/production-');
const quiet = (): void => undefined;
const closing: (() => Promise<unknown>)[] = [];

let home: Home;
let bao: OpenBaoServer;
let vault: VaultClient;
let identities: Identities;
let broker: MessageBroker;
let plans: PlanStore;
let workflows: WorkflowServer;
let place: RotatorPlace;

beforeAll(async () => {
  const {
    SPIRE_BINARIES = '',
    KAFKA_JARS = '',
    FERRETDB_BINARY = '',
    TEMPORAL_BINARIES = '',
    BAO_BINARY = '',
  } = process.env;
  const root = process.getuid?.() === 0;
  home = { ...locateHome({ root, data }), caFile: join(data, 'vault-ca.pem') };
  const users = chooseUsers({ root, data });
  makeHome(home, users);
  const closes = <T>(server: T, close: (one: T) => Promise<unknown>): T => {
    closing.unshift(() => close(server));
    return server;
  };
  const postgres = closes(await startDatabase(home, quiet), (one) => one.stop());
  bao = closes(await startOpenBao({ tls: true }), (one) => one.stop());
  const { address, caFile, rootToken } = bao;
  home = { ...home, caFile };
  [identities, broker, plans] = await Promise.all([
    startIdentities({ home, users, binaries: SPIRE_BINARIES, log: quiet }).then((one) =>
      closes(one, () => one.close()),
    ),
    startMessageBroker({ home, jars: KAFKA_JARS, log: quiet }).then((one) => closes(one, () => one.close())),
    startPlanStore({ home, binary: FERRETDB_BINARY, log: quiet }).then((one) => closes(one, () => one.close())),
  ]);
  const auth = tokenAuth({ token: rootToken });
  vault = closes(await VaultClient.open({ address, ca: { file: caFile }, auth }), (one) => one.close());
  const temporal = await prepareWorkflowStore(postgres, TEMPORAL_BINARIES);
  const jwt = { jwksUrl: identities.jwks.url, jwksCa: identities.jwks.ca };
  await applySetup({ vault, postgres, others: { jwt, temporal } });
  workflows = await startWorkflowServer({
    ...{ home, postgres, vault, vaultAddress: address, log: quiet },
    programs: { bao: BAO_BINARY, temporal: TEMPORAL_BINARIES },
    clientAuthorities: [identities.authorities],
  }).then((one) => closes(one, () => one.close()));
  place = { home, socket: identities.socket, vaultAddress: address };
});
afterAll(async () => {
  for (const close of closing) await close();
  rmSync(home.run, { recursive: true, force: true });
  rmSync(data, { recursive: true, force: true });
});

function kafkaAs({ username, password }: KafkaLogin): Kafka {
  return new Kafka({
    brokers: [broker.address],
    ssl: { ca: [readFileSync(broker.caFile, 'utf8')] },
    sasl: { mechanism: 'scram-sha-512', username, password: password.reveal() },
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  });
}

async function send(login: KafkaLogin, topic: string): Promise<void> {
  const producer = kafkaAs(login).producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages: [{ value: '{}' }] });
  } finally {
    await producer.disconnect();
  }
}

test('Kafka: each service has a user that may do its part and no other, and `hive rotate` replaces it under its reader', async () => {
  await broker.prepare(vault, place);
  expect(await broker.countUsers()).toBe(2);
  const worker = parseKafkaLogin((await vault.kv().read(KV_PATHS.workerKafka)).data);
  await send(worker, TOPICS.results);
  await expect(send(worker, TOPICS.tickets('BUILD'))).rejects.toMatchObject({ type: 'TOPIC_AUTHORIZATION_FAILED' });

  const provider = kvSecret(vault, KV_PATHS.orchestratorKafka, {
    parse: parseKafkaLogin,
    consumer: 'test',
    pollMs: 100,
  });
  await using credential = await RotatingCredential.open({ provider, drainTimeoutMs: 2_000 });
  for (let rotation = 0; rotation < 2; rotation += 1) {
    const old = credential.current().value;
    await send(old, TOPICS.tickets('BUILD'));
    const username = await broker.rotate(KV_PATHS.orchestratorKafka, place);
    expect(username).not.toBe(old.username);
    expect(credential.current().value.username).toBe(username);
    await expect(send(old, TOPICS.tickets('BUILD'))).rejects.toThrow();
    await send(credential.current().value, TOPICS.tickets('BUILD'));
    expect(await broker.countUsers()).toBe(2);
  }
  await broker.deleteUsers();
  expect(await broker.countUsers()).toBe(0);
});

test('MongoDB: `hive rotate` replaces the user of the orchestrator under its reader', async () => {
  const ping = async ({ username, password }: ReturnType<typeof parseMongoLogin>): Promise<void> => {
    const auth = { username, password: password.reveal() };
    const client = new MongoClient(plans.uri, { tls: true, tlsCAFile: plans.caFile, auth });
    try {
      await client.db('neural_hive').collection('plans').countDocuments();
    } finally {
      await client.close();
    }
  };
  await plans.prepare(vault, place);
  expect(await plans.countUsers()).toBe(1);
  const path = KV_PATHS.orchestratorMongodb;
  const provider = kvSecret(vault, path, { parse: parseMongoLogin, consumer: 'test', pollMs: 100 });
  await using credential = await RotatingCredential.open({ provider, drainTimeoutMs: 2_000 });
  const old = credential.current().value;
  await ping(old);
  const username = await plans.rotate(place);
  expect(credential.current().value.username).toBe(username);
  await ping(credential.current().value);
  await expect(ping(old)).rejects.toThrow();
  expect(await plans.countUsers()).toBe(1);
  await plans.deleteUsers();
  expect(await plans.countUsers()).toBe(0);
});

/** Asks Temporal what it is, as gRPC does it; answers the status, 0 for success. */
function systemInfo(identity?: { cert: string; key: string }): Promise<string> {
  return new Promise((resolve) => {
    const session = connect(`https://${workflows.address}`, {
      ca: readFileSync(workflows.caFile),
      servername: 'localhost',
      ...identity,
    });
    const end = (said: string): void => {
      session.destroy();
      resolve(said);
    };
    session.on('error', (error) => end(error.message));
    const call = session.request({
      ':method': 'POST',
      ':path': '/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    call.on('error', (error) => end(error.message));
    call.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) end(String(headers['grpc-status']));
    });
    call.on('trailers', (trailers) => end(String(trailers['grpc-status'])));
    call.resume();
    // A message of no bytes, not compressed.
    call.end(Buffer.alloc(5));
  });
}

test('Temporal: clients show an X509-SVID of SPIRE, and its password is replaced twice in the same process', async () => {
  const source = await X509Source.open({ endpoint: `unix://${identities.socket}` });
  const { certificates, privateKey } = source.getX509Svid();
  await source.close();
  const pem = (der: Uint8Array): string =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
  const svid = {
    cert: certificates.map(pem).join(''),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
  expect(await systemInfo(svid)).toBe('0');
  expect(await systemInfo()).toMatch(/certificate|ECONNRESET|alert|closed/i);
  const { pid = 0 } = workflows;
  await workflows.rotatePassword();
  await workflows.rotatePassword();
  expect(() => process.kill(pid, 0)).not.toThrow();
  expect(await systemInfo(svid)).toBe('0');
});
