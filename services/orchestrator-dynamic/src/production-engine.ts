import { readFile } from 'node:fs/promises';
import { DATABASE_ROLES, KV_PATHS } from '@neural-hive/contracts';
import { databaseCredentials, kvSecret, RotatingCredential, svidCredential } from '@neural-hive/security/credentials';
import { type MongoLogin, parseMongoLogin, rotatingMongoClient } from '@neural-hive/security/mongodb';
import type { X509Source, X509Svid } from '@neural-hive/security/spiffe';
import { rotatingConnection, rotatingNativeConnection, temporalTls } from '@neural-hive/security/temporal';
import type { VaultClient } from '@neural-hive/security/vault';
import {
  type CredentialBoard,
  type ResourceStack,
  rotatingEntry,
  type SecurityState,
  type ServiceContext,
} from '@neural-hive/service-runtime';
import { COLLECTIONS } from './adapters/mongodb/documents.ts';
import { MongoPlanStore } from './adapters/mongodb/plan-store.ts';
import { MongoTicketDesk } from './adapters/mongodb/ticket-desk.ts';
import { TemporalPlanEngine, type TemporalPlanEngineOptions } from './adapters/temporal/temporal-plan-engine.ts';
import { loadTemporalSdk } from './adapters/temporal/temporal-sdk.ts';
import type { OrchestratorVaultClient } from './adapters/vault/orchestrator-vault-client.ts';
import type { ProductionSettings } from './production-config.ts';

export interface ProductionEngineOptions
  extends Pick<TemporalPlanEngineOptions, 'bus' | 'pool' | 'admission' | 'policy' | 'metrics'> {
  readonly settings: ProductionSettings;
  readonly context: ServiceContext;
  readonly resources: ResourceStack;
  readonly state: SecurityState;
  readonly x509: X509Source;
  readonly client: VaultClient;
  readonly vault: OrchestratorVaultClient;
  readonly mounts: { readonly kv: string; readonly database: string };
  readonly kvPollMs: number;
}

export interface ProductionEngine {
  readonly engine: TemporalPlanEngine;
  /** Puts the credentials of the engine on the board. */
  list(board: CredentialBoard): void;
  /** Rejects when something that the engine needs does not answer. */
  check(): Promise<void>;
}

/** An operation of a document or a workflow takes milliseconds: what is busy longer after a rotation hangs. */
const DRAIN_MS = 5_000;
/** A poll that waits on an old connection ends when the server ends its wait, after a minute. */
const WORKER_DRAIN_MS = 90_000;

/** Opens MongoDB, Temporal and the engine over both; everything that they log in with is replaced while they run. */
export async function openProductionEngine(options: ProductionEngineOptions): Promise<ProductionEngine> {
  const { bus, pool, admission, policy, metrics, settings, context, resources } = options;
  const { log } = context;
  const sdk = loadTemporalSdk({ folder: settings.temporal.sdkFolder, log });
  const mongo = await openMongodb(options);
  const database = mongo.client.db(settings.mongodb.database);
  const plans = database.collection(COLLECTIONS.plans);
  const store = await MongoPlanStore.open(database);
  const identity = await openCredential(options, svidCredential(options.x509), WORKER_DRAIN_MS);
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
      ...(metrics !== undefined && { metrics }),
    }),
  );
  const describe = async (): Promise<void> => void (await connection.workflowService.describeNamespace({ namespace }));
  const look = async (): Promise<void> => void (await plans.findOne({}, { projection: { _id: 1 } }));
  return {
    engine,
    list(board) {
      board.register(
        rotatingEntry(mongo.login, { kind: settings.mongodb.credentials === 'kv' ? 'kv' : 'database', operate: look }),
      );
      board.register(rotatingEntry(identity, { name: 'x509-svid/temporal', kind: 'x509-svid', operate: describe }));
    },
    async check() {
      await Promise.all([look(), describe()]);
      if (!engine.working) throw new Error('the Temporal worker is being made anew');
    },
  };
}

async function openMongodb(options: ProductionEngineOptions) {
  const { client: vaultClient, kvPollMs, mounts, resources, settings, vault } = options;
  const { credentials, database, uri } = settings.mongodb;
  const provider =
    credentials === 'kv'
      ? kvSecret<MongoLogin>(vaultClient, KV_PATHS.orchestratorMongodb, {
          mount: mounts.kv,
          pollMs: kvPollMs,
          parse: parseMongoLogin,
        })
      : databaseCredentials(vaultClient, DATABASE_ROLES.orchestratorMongodb, { mount: mounts.database });
  const login = await openCredential<MongoLogin>(options, provider, DRAIN_MS);
  vault.hold(login);
  const client = resources.use(
    await rotatingMongoClient(login, uri, {
      // A login that may not read the plans is no login for this service.
      probe: (driver) =>
        driver
          .db(database)
          .collection(COLLECTIONS.plans)
          .findOne({}, { projection: { _id: 1 } }),
    }),
  );
  return { login, client };
}

async function openCredential<T>(
  { context, resources, state }: ProductionEngineOptions,
  provider: Parameters<typeof RotatingCredential.open<T>>[0]['provider'],
  drainTimeoutMs: number,
): Promise<RotatingCredential<T>> {
  const credential = resources.use(
    await RotatingCredential.open({
      provider,
      drainTimeoutMs,
      logger: context.log,
      metrics: context.metrics.credentials,
      signal: context.signal,
    }),
  );
  state.watch(credential);
  return credential;
}
