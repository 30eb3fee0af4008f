import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { messageOf, NeuralHiveError } from '@neural-hive/security/common';
import type { TemporalClientConnection, TemporalConnection } from '@neural-hive/security/temporal';
import type { Logger } from '@neural-hive/service-runtime';

export type TemporalSdkErrorCode = 'sdk_missing';

/** The packages of Temporal cannot be used. */
export class TemporalSdkError extends NeuralHiveError<TemporalSdkErrorCode> {}

interface StartOptions {
  readonly workflowId: string;
  readonly taskQueue: string;
  readonly args: readonly unknown[];
  readonly workflowIdReusePolicy: 'ALLOW_DUPLICATE';
  readonly workflowIdConflictPolicy: 'USE_EXISTING';
}

/** As much of the `WorkflowClient` as is used. */
export interface WorkflowClient {
  start(workflow: string, options: StartOptions): Promise<unknown>;
  signalWithStart(
    workflow: string,
    options: Omit<StartOptions, 'workflowIdConflictPolicy'> & {
      readonly signal: string;
      readonly signalArgs: readonly unknown[];
    },
  ): Promise<unknown>;
  executeUpdateWithStart(
    update: string,
    options: { readonly args: readonly unknown[]; readonly startWorkflowOperation: unknown },
  ): Promise<unknown>;
}

/** A connection of the driver for clients, and one for workers. */
export type ClientConnection = TemporalClientConnection;
export type WorkerConnection = TemporalConnection;

export interface TemporalWorker {
  connection: WorkerConnection | undefined;
  run(): Promise<void>;
  shutdown(): void;
}

export interface WorkerOptions {
  readonly connection: WorkerConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly workflowBundle: object;
  readonly activities: object;
  /** How long a task waits for the worker that has its workflow in memory, before any other may take it. */
  readonly stickyQueueScheduleToStartTimeout: string;
  readonly shutdownGraceTime: string;
  readonly shutdownForceTime: string;
}

type Connect<C> = (options: { readonly address: string; readonly tls: object }) => Promise<C>;

/** What is used of @temporalio/client and @temporalio/worker. */
export interface TemporalSdk {
  readonly Connection: { readonly connect: Connect<ClientConnection> };
  readonly Client: new (options: { connection: ClientConnection; namespace: string }) => { workflow: WorkflowClient };
  readonly WithStartWorkflowOperation: new (workflow: string, options: StartOptions) => unknown;
  readonly NativeConnection: { readonly connect: Connect<WorkerConnection> };
  readonly Worker: {
    create(options: WorkerOptions): Promise<TemporalWorker>;
    runReplayHistory(options: object, history: unknown): Promise<void>;
  };
  /** Keeps an activity alive in the eyes of the server. */
  readonly heartbeat: () => void;
  /** The workflow with everything that it imports. */
  bundleWorkflow(): Promise<object>;
}

interface WorkerPackage extends Pick<TemporalSdk, 'NativeConnection' | 'Worker'> {
  readonly Runtime: { install(options: object): unknown };
  bundleWorkflowCode(options: object): Promise<object>;
}

export interface LoadOptions {
  /** The folder whose `node_modules` has the packages. Default: where this service's packages are. */
  readonly folder?: string | undefined;
  readonly log?: Pick<Logger, 'info' | 'warn' | 'error'> | undefined;
}

let loaded: { readonly folder: string; readonly sdk: TemporalSdk } | undefined;

/**
 * Loads the packages of Temporal, once a process: they bring a native library of 100 MB, so they are not installed with
 * the service (decision 0021).
 * @throws TemporalSdkError `sdk_missing`
 */
export function loadTemporalSdk({ folder = import.meta.dirname, log }: LoadOptions = {}): TemporalSdk {
  if (loaded?.folder === folder) return loaded.sdk;
  const load = createRequire(join(folder, 'package.json'));
  try {
    const client = load('@temporalio/client') as Pick<
      TemporalSdk,
      'Connection' | 'Client' | 'WithStartWorkflowOperation'
    >;
    const activity = load('@temporalio/activity') as { heartbeat(): void };
    const worker = load('@temporalio/worker') as WorkerPackage;
    const logger = loggerOf(log);
    worker.Runtime.install({
      logger,
      // Who closes the engine closes its worker.
      shutdownSignals: [],
      telemetryOptions: { logging: { forward: {}, filter: { core: 'WARN', other: 'WARN' } } },
    });
    let bundle: Promise<object> | undefined;
    const sdk: TemporalSdk = {
      Connection: client.Connection,
      Client: client.Client,
      WithStartWorkflowOperation: client.WithStartWorkflowOperation,
      NativeConnection: worker.NativeConnection,
      Worker: worker.Worker,
      heartbeat: () => activity.heartbeat(),
      bundleWorkflow() {
        bundle ??= worker.bundleWorkflowCode({
          workflowsPath: join(import.meta.dirname, `plan-workflow${extname(import.meta.filename)}`),
          logger,
          webpackConfigHook: (config: { resolve?: object }) => ({
            ...config,
            resolve: { ...config.resolve, modules: [join(folder, 'node_modules'), 'node_modules'] },
          }),
        });
        return bundle;
      },
    };
    loaded = { folder, sdk };
    return sdk;
  } catch (error) {
    throw new TemporalSdkError(
      'sdk_missing',
      `Cannot load the packages of Temporal (${messageOf(error)}): install @temporalio/client, worker, workflow and activity, ` +
        'as tools/real-stack/temporal-sdk pins them, and name their folder in TEMPORAL_SDK',
      { cause: error },
    );
  }
}

type Level = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

/** What the SDK says goes where the service's own lines go; what it tells for developers does not. */
function loggerOf(log: LoadOptions['log']) {
  const write = (level: Level, message: string, fields: object = {}): void => {
    if (level === 'ERROR') log?.error({ temporal: textOf(fields) }, message);
    if (level === 'WARN') log?.warn({ temporal: textOf(fields) }, message);
  };
  return {
    log: write,
    trace: () => undefined,
    debug: () => undefined,
    info: () => undefined,
    warn: (message: string, fields?: object) => write('WARN', message, fields),
    error: (message: string, fields?: object) => write('ERROR', message, fields),
  };
}

/** Its fields hold big integers and errors. */
function textOf(fields: object): Record<string, string> {
  const texts = Object.entries(fields).map(([name, value]) => [name, messageOf(value)]);
  return Object.fromEntries(texts.filter(([name]) => name !== 'sdkComponent' && name !== 'args'));
}
