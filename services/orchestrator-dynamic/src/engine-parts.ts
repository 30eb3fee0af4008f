import {
  RotatingCredential,
  type RotatingCredentialOptions,
  type SvidIdentity,
} from '@neural-hive/security/credentials';
import type { RotatingPool } from '@neural-hive/security/pg';
import type { VaultClient } from '@neural-hive/security/vault';
import type { CredentialBoard, ResourceStack, SecurityState, ServiceContext } from '@neural-hive/service-runtime';
import type { OrchestratorVaultClient } from './adapters/vault/orchestrator-vault-client.ts';
import type { OrchestratorConfig } from './config.ts';
import type { ExecutionPolicy } from './domain/index.ts';
import type { Admission } from './ports/admission.ts';
import type { EngineMetrics } from './ports/engine-metrics.ts';
import type { PlanEngine } from './ports/plan-engine.ts';
import type { TicketClaims } from './ports/ticket-desk.ts';

/** What every part of the service is opened with. */
export interface Parts {
  readonly config: OrchestratorConfig;
  readonly context: ServiceContext;
  readonly resources: ResourceStack;
  readonly state: SecurityState;
}

/** What an engine is opened with. */
export interface EngineParts extends Parts {
  readonly x509: SvidIdentity;
  readonly client: VaultClient;
  readonly vault: OrchestratorVaultClient;
  readonly pool: RotatingPool;
  readonly admission: Admission;
  readonly policy: ExecutionPolicy;
  readonly metrics: EngineMetrics;
}

/** An engine with what belongs to it alone. */
export interface OpenEngine {
  readonly engine: PlanEngine;
  /** Where workers claim tickets; undefined where these are rows of the database. */
  readonly claims?: TicketClaims;
  /** Puts the engine's credentials on the board. */
  list(board: CredentialBoard): void;
  /** Rejects when something that the engine needs does not answer. */
  check(): Promise<void>;
}

/** What is busy longer after a rotation hangs: a transaction or an operation takes milliseconds. */
export const DRAIN_MS = 5_000;

/** A credential that lives as long as the service, and that its health looks at. */
export async function openCredential<T>(
  { context, resources, state }: Parts,
  provider: RotatingCredentialOptions<T>['provider'],
  drainTimeoutMs: number = DRAIN_MS,
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
