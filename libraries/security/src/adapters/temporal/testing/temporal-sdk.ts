import { mkdtempSync, symlinkSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TemporalClientConnection, TemporalConnection, TemporalTls } from '../index.ts';

export interface ConnectOptions {
  readonly address: string;
  readonly tls: TemporalTls | { readonly serverRootCACertificate: Uint8Array };
  readonly apiKey?: string;
  /** Of the client only. Default: repeat what may be repeated. */
  readonly interceptors?: readonly [];
}

export interface SdkConnection extends TemporalClientConnection {
  readonly workflowService: TemporalClientConnection['workflowService'] & {
    getSystemInfo(request: object): Promise<unknown>;
  };
  setApiKey(key: string): void;
}

export interface SdkNativeConnection extends TemporalClientConnection {
  setApiKey(key: string): Promise<void>;
}

export interface SdkWorker {
  connection: SdkNativeConnection | undefined;
  run(): Promise<void>;
  shutdown(): void;
}

export interface WorkflowEvent {
  readonly eventType: number;
}

export interface SdkWorkflowClient {
  execute(name: string, options: StartOptions): Promise<unknown>;
  start(name: string, options: StartOptions): Promise<unknown>;
  getHandle(id: string): { fetchHistory(): Promise<{ readonly events: readonly WorkflowEvent[] }> };
}

export interface StartOptions {
  readonly taskQueue: string;
  readonly workflowId: string;
  readonly args: readonly unknown[];
  readonly workflowExecutionTimeout?: string;
}

export interface WorkerOptions {
  readonly connection: SdkNativeConnection;
  readonly taskQueue: string;
  readonly workflowBundle: unknown;
  readonly activities: Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;
  readonly shutdownForceTime?: string;
}

/** What the tests need of the packages, which live in a folder of their own. */
export interface TemporalSdk {
  readonly Connection: { connect(options: ConnectOptions): Promise<SdkConnection> };
  readonly Client: new (options: { connection: TemporalConnection }) => { readonly workflow: SdkWorkflowClient };
  readonly NativeConnection: { connect(options: ConnectOptions): Promise<SdkNativeConnection> };
  readonly Worker: { create(options: WorkerOptions): Promise<SdkWorker> };
  /** The workflows of the tests, once for all workers. */
  readonly workflowBundle: unknown;
}

interface WorkerPackage extends Pick<TemporalSdk, 'NativeConnection' | 'Worker'> {
  readonly Runtime: { install(options: object): unknown };
  readonly DefaultLogger: new (level: string) => object;
  bundleWorkflowCode(options: { workflowsPath: string; logger: object }): Promise<unknown>;
}

/** The folder of the packages. */
export const sdkFolder = (): string => process.env.TEMPORAL_SDK ?? '';

export async function loadTemporalSdk(): Promise<TemporalSdk> {
  const load = createRequire(join(sdkFolder(), 'package.json'));
  const { Connection, Client } = load('@temporalio/client') as Pick<TemporalSdk, 'Connection' | 'Client'>;
  const { Runtime, DefaultLogger, ...worker } = load('@temporalio/worker') as WorkerPackage;
  const logger = new DefaultLogger('ERROR');
  Runtime.install({
    logger,
    telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } },
  });
  // What the workflows import is looked for beside them.
  const folder = mkdtempSync(join(tmpdir(), 'workflows-'));
  symlinkSync(join(sdkFolder(), 'node_modules'), join(folder, 'node_modules'));
  const workflowsPath = join(folder, 'workflows.js');
  await copyFile(join(import.meta.dirname, 'workflows.js'), workflowsPath);
  const workflowBundle = await worker.bundleWorkflowCode({ workflowsPath, logger });
  return { Connection, Client, NativeConnection: worker.NativeConnection, Worker: worker.Worker, workflowBundle };
}
