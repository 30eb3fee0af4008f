/** A worker without Vault, SPIFFE and registry: the engine, the executors and the transport, as a process to be killed. */
import { join } from 'node:path';
import { Secret } from '@neural-hive/security/common';
import pg from 'pg';
import { Registry } from 'prom-client';
import { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import { PostgresTicketSource } from '../adapters/postgres/ticket-source.ts';
import { DirectRunner } from '../attempts/direct-runner.ts';
import { LauncherRunner } from '../attempts/launcher-runner.ts';
import { type ProgramCatalogue, programCatalogue } from '../attempts/program-catalogue.ts';
import { executionSettings } from '../domain/execution-settings.ts';
import { TicketWorker } from '../engine/ticket-worker.ts';
import { workerMetrics } from '../engine/worker-metrics.ts';
import { buildExecutor } from '../executors/build.ts';
import { deployExecutor } from '../executors/deploy.ts';

export interface WorkerProcessOrder {
  readonly agentId: string;
  readonly database: pg.ClientConfig;
  readonly folder: string;
  readonly projects: string;
  readonly programs: ProgramCatalogue;
  readonly launcherSocket?: string;
}

const order = JSON.parse(process.env.ORDER ?? '') as WorkerProcessOrder;
const programs = programCatalogue.parse(order.programs);
const artifacts = await ArtifactStore.open(join(order.folder, 'artifacts'));
const releases = await ReleaseStore.open(join(order.folder, 'releases'), artifacts);
const runner =
  order.launcherSocket === undefined
    ? DirectRunner.open({ programs, workspaces: join(order.folder, 'work') })
    : new LauncherRunner({ socketPath: order.launcherSocket });
const write = (fields: object, message: string): void => console.log(JSON.stringify({ ...fields, message }));
const worker = new TicketWorker({
  source: new PostgresTicketSource(new pg.Pool(order.database)),
  secrets: {
    settingsFor: () => Promise.resolve(executionSettings.parse({})),
    getExecutionCredentials: () => Promise.resolve(new Secret({})),
    storeResult: () => Promise.reject(new Error('there is no Vault here')),
  },
  executors: [buildExecutor({ runner, programs, projects: order.projects, artifacts }), deployExecutor({ releases })],
  capacity: { total: 2, byType: {} },
  publisher: { agentId: order.agentId, spiffeId: 'spiffe://neural-hive.local/ns/a/sa/b' },
  metrics: workerMetrics(new Registry()),
  log: { info: write, warn: write, error: write },
});
setInterval(() => {}, 60_000);
console.log(JSON.stringify({ message: 'ready', types: worker.types }));
