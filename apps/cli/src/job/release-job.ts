import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { SPIFFE_IDS } from '@neural-hive/contracts';
import type { X509Source } from '@neural-hive/security/spiffe';
import { request } from 'undici';
import { ManagementClient } from '../client/management-client.ts';
import { OrchestratorClient, type PlanView } from '../client/orchestrator-client.ts';
import { readPlanFile } from '../client/plan-file.ts';
import { follow } from '../commands/plan.ts';
import type { Output } from '../output.ts';
import type { Platform } from '../platform/platform.ts';
import { proportionalBytes } from '../platform/processes.ts';
import { sumOfMetric } from './metrics-text.ts';
import { tryRefusedCallers } from './refused-callers.ts';
import { type CredentialReport, type JobReport, rotationTotals, thinRotations } from './report.ts';
import { awaitDueRotation, rotateEverything } from './rotate-everything.ts';

const RELEASE_PLAN = fileURLToPath(new URL('../../../../examples/plans/release.json', import.meta.url));
const FORCED_ROUNDS = 2;

export interface ReleaseJobOptions {
  readonly platform: Platform;
  readonly identity: X509Source;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** The report without what only the end of the platform can tell. */
export interface RunningReport {
  readonly report: Omit<JobReport, 'leftovers'>;
  /** What fell short in it beyond its totals. */
  readonly missed: readonly string[];
}

/**
 * What the platform is for, shown once: a release goes through it as `/operator`, and every credential that a service
 * holds for long is rotated twice by command, and when due, while background readers use it.
 */
export async function runReleaseJob({ platform, identity, output, signal }: ReleaseJobOptions): Promise<RunningReport> {
  const { state } = platform;
  const orchestrator = new OrchestratorClient({ identity, port: state.orchestrator.port });
  const services = managementClients(platform, identity);
  try {
    await Promise.all(services.map((service) => service.load('start')));

    output.heading('The release');
    const plan = await releaseOnce(orchestrator, output, signal);

    output.heading('Callers that must be refused');
    await tryRefusedCallers(state, identity, output);

    output.heading('Rotations, while background readers use every credential');
    const bytes = proportionalBytes(platform.pids()) ?? null;
    await rotateEverything({ platform, services, rounds: FORCED_ROUNDS, output, signal });
    await awaitDueRotation({ services, output, signal });
    await Promise.all(services.map((service) => service.load('stop')));
    const reports = await Promise.all(services.map((service) => service.report()));
    describeRotations(reports, output);
    const report = {
      adapters: platform.adapters,
      plan: { id: plan.id, status: plan.status },
      tickets: plan.tickets.map(({ id, type, status, worker, spiffeId, durationMs }) => ({
        ...{ id, type, status, worker, spiffeId, durationMs },
      })),
      credentials: [
        ...reports.flatMap(({ credentials }, index) =>
          credentials.map(({ name, generation, ttlSeconds }) => ({
            name: `${services[index]?.service ?? ''}/${name}`,
            ...{ generation, ttlSeconds },
          })),
        ),
        // Alive for one job and given back: nothing to rotate.
        ...platform.jobCredentials,
      ],
      rotations: rotationTotals(reports),
      authentication: await authenticationTotals(platform),
      startup: { readyMs: platform.readyMs },
      memory: { proportionalBytes: bytes },
    };
    return { report, missed: thinRotations(reports) };
  } finally {
    await Promise.all([orchestrator.close(), ...services.map((service) => service.close())]);
  }
}

async function releaseOnce(orchestrator: OrchestratorClient, output: Output, signal: AbortSignal): Promise<PlanView> {
  const plan = readPlanFile(RELEASE_PLAN);
  const id = `${plan.plan_id}-${randomBytes(4).toString('hex')}`;
  const submitted = await orchestrator.submit({ ...plan, plan_id: id, created_at: Date.now(), valid_until: null });
  output.line(`submitted ${id} as ${submitted.submittedBy}: ${submitted.status}`);
  if (submitted.status === 'AWAITING_APPROVAL') {
    const approved = await orchestrator.decide(id, 'approve', 'the release that every start runs');
    output.line(`approved as ${String(approved.approval.by)}, kept in the audit trail`);
  }
  return follow({ orchestrator }, id, output, signal);
}

function managementClients({ state }: Platform, identity: X509Source): ManagementClient[] {
  const client = (service: string, spiffeId: string, port: number): ManagementClient =>
    new ManagementClient({ identity, service, spiffeId, port });
  return [
    client('orchestrator-dynamic', SPIFFE_IDS.orchestrator, state.orchestrator.management),
    client('worker-agents', SPIFFE_IDS.worker, state.worker.management),
    client('service-registry', SPIFFE_IDS.registry, state.registry.management),
  ];
}

function describeRotations(reports: readonly CredentialReport[], output: Output): void {
  const totals = rotationTotals(reports);
  output.line(
    `${totals.total} rotations (${totals.forced} commanded, ${totals.due} due): ${totals.operationsDuring} operations ` +
      `during them, ${totals.failedOperations} failed, ${totals.retriedOperations} retried, ` +
      `longest stall ${totals.maxStallMs} ms, ${totals.sessionsTerminated} sessions ended by force`,
  );
}

async function authenticationTotals({ state }: Platform): Promise<{ allowed: number; denied: number }> {
  const texts = await Promise.all(
    [state.orchestrator.metrics, state.worker.metrics, state.registry.metrics].map(async (port) => {
      const response = await request(`http://127.0.0.1:${port}/metrics`);
      return response.body.text();
    }),
  );
  const sum = (status: string): number =>
    texts.reduce((total, text) => total + sumOfMetric(text, 'grpc_auth_attempts_total', { status }), 0);
  return { allowed: sum('allowed'), denied: sum('denied') };
}
