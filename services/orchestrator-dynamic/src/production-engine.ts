import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { DATABASE_ROLES, KV_PATHS } from '@neural-hive/contracts';
import { databaseCredentials, kvSecret, svidCredential } from '@neural-hive/security/credentials';
import { type KafkaLogin, parseKafkaLogin } from '@neural-hive/security/kafka';
import { type MongoLogin, parseMongoLogin, rotatingMongoClient } from '@neural-hive/security/mongodb';
import type { X509Svid } from '@neural-hive/security/spiffe';
import { rotatingConnection, rotatingNativeConnection, temporalTls } from '@neural-hive/security/temporal';
import { injectedSecret, kafkaClientConfig, rotatingEntry } from '@neural-hive/service-runtime';
import { busMetrics } from './adapters/kafka/bus-metrics.ts';
import { openTicketBus } from './adapters/kafka/ticket-bus.ts';
import { COLLECTIONS } from './adapters/mongodb/documents.ts';
import { MongoPlanStore } from './adapters/mongodb/plan-store.ts';
import { MongoTicketDesk } from './adapters/mongodb/ticket-desk.ts';
import { TemporalPlanEngine } from './adapters/temporal/temporal-plan-engine.ts';
import { loadTemporalSdk } from './adapters/temporal/temporal-sdk.ts';
import { type EngineParts, type OpenEngine, openCredential } from './engine-parts.ts';
import type { ProductionSettings } from './production-config.ts';

/** Names this process. Whoever replaces a login in KV waits until it says that it has moved. */
const INSTANCE = `${hostname()}:${process.pid}`;
const ID_ONLY = { projection: { _id: 1 } } as const;
/** A poll that waits on an old connection ends when the server ends its wait, after a minute. */
const WORKER_DRAIN_MS = 90_000;

/** Opens MongoDB, Temporal and the engine over both; everything that they log in with is replaced while they run. */
export async function openProductionEngine(parts: EngineParts, settings: ProductionSettings): Promise<OpenEngine> {
  const { admission, context, metrics, policy, pool, resources } = parts;
  const { log } = context;
  const sdk = loadTemporalSdk({ folder: settings.temporal.sdkFolder, log });
  const mongo = await openMongodb(parts, settings);
  const database = mongo.client.db(settings.mongodb.database);
  const plans = database.collection(COLLECTIONS.plans);
  const store = await MongoPlanStore.open(database);
  const bus = await openBus(parts, settings);
  const identity = await openCredential(parts, svidCredential(parts.x509), WORKER_DRAIN_MS);
  const { address, caFile, namespace, serverName, taskQueue } = settings.temporal;
  const connect = async (svid: X509Svid) => {
    const serverCa = caFile === undefined ? {} : { serverCa: await readFile(caFile, 'utf8') };
    return { address, tls: temporalTls(svid, { ...serverCa, ...(serverName !== undefined && { serverName }) }) };
  };
  const connection = resources.use(
    await rotatingConnection(identity, async (svid) => sdk.Connection.connect(await connect(svid)), { namespace }),
  );
  const native = resources.use(
    await rotatingNativeConnection(identity, async (svid) => sdk.NativeConnection.connect(await connect(svid)), {
      namespace,
      logger: log,
    }),
  );
  const engine = resources.use(
    await TemporalPlanEngine.open({
      sdk,
      connection,
      runWorker: (create, run) => native.runWorker(create, run),
      namespace,
      taskQueue,
      store,
      desk: new MongoTicketDesk(database),
      bus,
      pool,
      admission,
      policy,
      log,
      metrics,
    }),
  );
  await bus.start(engine);
  const describe = async (): Promise<void> => void (await connection.workflowService.describeNamespace({ namespace }));
  const look = async (): Promise<void> => void (await plans.findOne({}, ID_ONLY));
  return {
    engine,
    claims: engine,
    list(board) {
      board.register(bus.entry);
      board.register(
        rotatingEntry(mongo.login, { kind: settings.mongodb.credentials === 'kv' ? 'kv' : 'database', operate: look }),
      );
      board.register(rotatingEntry(identity, { name: 'x509-svid/temporal', kind: 'x509-svid', operate: describe }));
    },
    async check() {
      await Promise.all([look(), describe()]);
      if (bus.failure !== undefined) throw bus.failure;
      if (!engine.working) throw new Error('the Temporal worker is being made anew');
    },
  };
}

async function openMongodb(parts: EngineParts, { mongodb }: ProductionSettings) {
  const { client: vaultClient, config, context, resources, vault } = parts;
  const { kv, database: mount } = config.security.vault.mounts;
  const stored = { mount: kv, pollMs: config.kvPollMs, parse: parseMongoLogin, consumer: INSTANCE };
  const login = await openCredential<MongoLogin>(
    parts,
    injectedSecret({ folder: config.injectedSecrets, file: 'mongodb', parse: parseMongoLogin, logger: context.log }) ??
      (mongodb.credentials === 'kv'
        ? kvSecret(vaultClient, KV_PATHS.orchestratorMongodb, stored)
        : databaseCredentials(vaultClient, DATABASE_ROLES.orchestratorMongodb, { mount })),
  );
  vault.hold(login);
  const client = resources.use(
    await rotatingMongoClient(login, mongodb.uri, {
      // A login that may not read the plans is no login for this service.
      probe: (driver) => driver.db(mongodb.database).collection(COLLECTIONS.plans).findOne({}, ID_ONLY),
    }),
  );
  return { login, client };
}

async function openBus(parts: EngineParts, { kafka }: ProductionSettings) {
  const { client, config, context, resources, vault } = parts;
  const { kv: mount } = config.security.vault.mounts;
  const stored = { mount, pollMs: config.kvPollMs, parse: parseKafkaLogin, consumer: INSTANCE };
  const logins = await openCredential<KafkaLogin>(
    parts,
    injectedSecret({ folder: config.injectedSecrets, file: 'kafka', parse: parseKafkaLogin, logger: context.log }) ??
      kvSecret(client, KV_PATHS.orchestratorKafka, stored),
  );
  vault.hold(logins);
  const bus = await openTicketBus({
    logins,
    settings: kafka,
    client: kafkaClientConfig(kafka, { clientId: 'orchestrator-dynamic', logger: context.log }),
    instance: INSTANCE,
    metrics: busMetrics(context.metrics.registry),
    logger: context.log,
  });
  resources.defer(() => bus.close());
  return bus;
}
