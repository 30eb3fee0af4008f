import { existsSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { KV_PATHS } from '@neural-hive/contracts';
import { TEMPORAL_VERSION } from '@neural-hive/real-stack';
import { EXIT, Failure } from '../../failure.ts';
import type { Home } from '../home.ts';
import type { Adapters, ProductionLogins, ServiceProgram } from '../profile.ts';
import type { Identities } from './identities.ts';
import { startMessageBroker } from './message-broker.ts';
import { startPlanStore } from './plan-store.ts';
import type { ProductionPrograms } from './programs.ts';
import type { LoginPath, RotatorPlace } from './user-rotator.ts';
import { prepareWorkflowStore, startWorkflowServer, type WorkflowServer } from './workflow-server.ts';

export interface ProductionServers {
  readonly adapters: Pick<Adapters, 'workflow' | 'tickets' | 'plans'>;
  readonly logins: ProductionLogins;
  /** What the services are told; complete once the logins are. */
  environment(service: ServiceProgram): Readonly<Record<string, string>>;
  countUsers(): Promise<number>;
  close(): Promise<void>;
}

export interface StartProductionOptions {
  readonly home: Home;
  readonly programs: ProductionPrograms;
  /** Of the API that says whose a ticket is. */
  readonly orchestratorPort: number;
  readonly log: (name: string) => (line: string) => void;
  /** They start at the same time. */
  readonly vault: Promise<{ readonly address: string }>;
  readonly identities: Promise<Identities>;
}

/** Starts Kafka and FerretDB, and later Temporal, whose password OpenBao keeps. */
export async function startProductionServers(options: StartProductionOptions): Promise<ProductionServers> {
  const { home, programs, orchestratorPort, log } = options;
  const starting = [
    startMessageBroker({ home, jars: programs.kafka, log: log('kafka') }),
    startPlanStore({ home, binary: programs.ferretdb, log: log('ferretdb') }),
  ] as const;
  let workflows: WorkflowServer | undefined;
  const close = async (): Promise<void> => {
    await workflows?.close();
    const started = await Promise.allSettled(starting);
    await Promise.all(started.map((one) => (one.status === 'fulfilled' ? one.value.close() : undefined)));
  };
  try {
    const [broker, plans, { address: vaultAddress }, identities, sdk] = await Promise.all([
      ...starting,
      options.vault,
      options.identities,
      stageSdk(home, programs.temporalSdk),
    ]);
    const place: RotatorPlace = { home, socket: identities.socket, vaultAddress };
    const logins: ProductionLogins = {
      prepareDatabase: async (postgres) => ({ temporal: await prepareWorkflowStore(postgres, programs.temporal) }),
      async complete(vault, postgres) {
        await broker.prepare(vault, place);
        await plans.prepare(vault, place);
        workflows = await startWorkflowServer({
          ...{ home, postgres, vault, vaultAddress, programs, log: log('temporal') },
          clientAuthorities: [identities.authorities],
        });
      },
      async rotate(path, move) {
        let moved: Promise<boolean> = Promise.resolve(false);
        const onWritten = (): void => {
          moved = move();
          moved.catch(() => undefined);
        };
        if (path === KV_PATHS.orchestratorMongodb) await plans.rotate(place, onWritten);
        else await broker.rotate(path as LoginPath, place, onWritten);
        return moved;
      },
      others: [
        {
          name: 'temporal database/static-creds/temporal-server',
          async rotate() {
            if (workflows === undefined) throw new Failure(EXIT.fellShort, 'Temporal does not run');
            await workflows.rotatePassword();
          },
        },
      ],
      async drop() {
        await Promise.all([broker.deleteUsers(), plans.deleteUsers()]);
      },
    };
    const kafka = { KAFKA_BOOTSTRAP_SERVERS: broker.address, KAFKA_SSL_CA_LOCATION: broker.caFile };
    return {
      adapters: {
        workflow: `Temporal ${TEMPORAL_VERSION}`,
        tickets: `Kafka ${broker.version}`,
        plans: `FerretDB ${plans.version}, by the wire protocol of MongoDB`,
      },
      logins,
      environment(service) {
        if (service === 'service-registry') return {};
        if (service === 'worker-agents') {
          const url = `https://127.0.0.1:${orchestratorPort}`;
          return { TICKET_TRANSPORT: 'kafka', EXECUTION_TICKET_SERVICE_URL: url, ...kafka };
        }
        const [host = '', port = ''] = (workflows?.address ?? '').split(':');
        return {
          ORCHESTRATOR_ENGINE: 'temporal',
          ...kafka,
          MONGODB_URI: `${plans.uri}?${new URLSearchParams({ tls: 'true', tlsCAFile: plans.caFile, authSource: 'admin' })}`,
          TEMPORAL_HOST: host,
          TEMPORAL_PORT: port,
          TEMPORAL_NAMESPACE: workflows?.namespace ?? '',
          TEMPORAL_TLS_CA_LOCATION: workflows?.caFile ?? '',
          TEMPORAL_TLS_SERVER_NAME: 'localhost',
          TEMPORAL_SDK: sdk,
        };
      },
      countUsers: async () => (await broker.countUsers()) + (await plans.countUsers()),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The packages, where the orchestrator's uid can read them: the cache is root's own. */
async function stageSdk(home: Home, folder: string): Promise<string> {
  const staged = join(home.data, 'temporal-sdk', basename(folder));
  if (existsSync(staged)) return staged;
  const partial = `${staged}.partial`;
  await rm(partial, { recursive: true, force: true });
  await cp(folder, partial, { recursive: true, verbatimSymlinks: true });
  await rename(partial, staged);
  return staged;
}
