import { z } from 'zod';
import type { Adapters } from '../platform/profile.ts';

const count = z.int().nonnegative();

/** What the management API of a service says about its credentials and their rotations. */
export const credentialReport = z.object({
  credentials: z.array(
    z.object({ name: z.string(), kind: z.string(), generation: count, ttlSeconds: z.number().nonnegative() }),
  ),
  rotations: z.array(
    z.object({
      name: z.string(),
      reason: z.string(),
      operationsDuring: count,
      failed: count,
      retried: count,
      maxStallMs: z.number().nonnegative(),
      terminated: count,
    }),
  ),
});
export type CredentialReport = z.infer<typeof credentialReport>;

export interface TicketLine {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly worker: string | null;
  readonly spiffeId: string | null;
  readonly durationMs: number | null;
}

export interface Leftovers {
  /** Leased PostgreSQL roles. */
  readonly roles: number;
  /** PostgreSQL sessions of such roles. */
  readonly sessions: number;
  /** Leases made and not ended, as the secrets server sees it. */
  readonly leases: number;
  /** Leased logins of the other servers, where the profile has such. */
  readonly users?: number;
  /** Processes of the platform that outlived it. */
  readonly processes: number;
}

/** The one JSON object that `npm start -- --once --json` ends with. */
export interface JobReport {
  readonly adapters: Adapters;
  readonly plan: { readonly id: string; readonly status: string };
  readonly tickets: readonly TicketLine[];
  readonly credentials: readonly { readonly name: string; readonly generation: number; readonly ttlSeconds: number }[];
  readonly rotations: RotationTotals;
  readonly authentication: { readonly allowed: number; readonly denied: number };
  readonly startup: { readonly readyMs: number };
  readonly memory: { readonly proportionalBytes: number | null };
  readonly leftovers: Leftovers | null;
}

export interface RotationTotals {
  readonly total: number;
  readonly forced: number;
  /** By its own schedule. What followed a replaced token counts in `total` alone. */
  readonly due: number;
  readonly operationsDuring: number;
  readonly failedOperations: number;
  readonly retriedOperations: number;
  readonly maxStallMs: number;
  readonly sessionsTerminated: number;
}

export function rotationTotals(reports: readonly CredentialReport[]): RotationTotals {
  const rotations = reports.flatMap((report) => report.rotations);
  const sum = (pick: (rotation: CredentialReport['rotations'][number]) => number): number =>
    rotations.reduce((total, rotation) => total + pick(rotation), 0);
  return {
    total: rotations.length,
    forced: sum(({ reason }) => (reason === 'forced' ? 1 : 0)),
    due: sum(({ reason }) => (reason === 'due' ? 1 : 0)),
    operationsDuring: sum(({ operationsDuring }) => operationsDuring),
    failedOperations: sum(({ failed }) => failed),
    retriedOperations: sum(({ retried }) => retried),
    maxStallMs: Math.round(Math.max(0, ...rotations.map(({ maxStallMs }) => maxStallMs))),
    sessionsTerminated: sum(({ terminated }) => terminated),
  };
}

/** Why the job fell short, if it did: each reason is one line. */
export function shortcomings(report: JobReport): string[] {
  const found: string[] = [];
  const { plan, rotations, leftovers } = report;
  if (plan.status !== 'COMPLETED') found.push(`plan ${plan.id} ended ${plan.status}`);
  if (rotations.failedOperations > 0) found.push(`${rotations.failedOperations} operations failed during rotations`);
  if (rotations.forced === 0) found.push('no credential was rotated');
  for (const [what, left] of Object.entries(leftovers ?? {})) if (left > 0) found.push(`${left} ${what} left behind`);
  return found;
}

/** A rotation that fewer operations met has not shown that it disturbs nobody. */
const MIN_OPERATIONS = 50;

/** The rotations that prove too little, a line each. */
export function thinRotations(reports: readonly CredentialReport[]): string[] {
  return reports
    .flatMap(({ rotations }) => rotations)
    .filter(({ operationsDuring }) => operationsDuring < MIN_OPERATIONS)
    .map(({ name, operationsDuring }) => `only ${operationsDuring} operations met a rotation of ${name}`);
}
