import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs the platform's main job as a user would and judges its report by the product's limits, with twofold slack for
 * a busy machine. Run a second time it starts warm. Ends with `N passed, N failed`.
 */
interface Report {
  readonly plan: { readonly status: string };
  readonly tickets: readonly { readonly status: string }[];
  readonly rotations: {
    readonly total: number;
    readonly forced: number;
    readonly due: number;
    readonly operationsDuring: number;
    readonly failedOperations: number;
    readonly maxStallMs: number;
  };
  readonly startup: { readonly readyMs: number };
  readonly memory: { readonly proportionalBytes: number | null };
  readonly leftovers: Readonly<Record<string, number>>;
}

const SLACK = 2;
const LIMITS = {
  warmStartMs: 15_000 * SLACK,
  freshCloneMs: 5 * 60_000 * SLACK,
  proportionalBytes: 1.2 * 1024 ** 3 * SLACK,
  stallMs: 500 * SLACK,
};
const HARD_LIMIT_MS = 15 * 60_000;

let passed = 0;
let failed = 0;

function judge(what: string, holds: boolean, figure: unknown): void {
  process.stdout.write(`${holds ? 'ok    ' : 'FAILED'} ${what} (${JSON.stringify(figure)})\n`);
  if (holds) passed += 1;
  else failed += 1;
}

/** The last line of `npm start -- --once --json`, and how long all of it took. */
async function runOnce(home: string): Promise<{ report: Report | undefined; exitCode: number | null; tookMs: number }> {
  const startedMs = performance.now();
  const child = spawn('npm', ['start', '--', '--once', '--json', '--home', home], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: HARD_LIMIT_MS,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const last = text.trim().split('\n').at(-1) ?? '';
  let report: Report | undefined;
  try {
    report = JSON.parse(last) as Report;
  } catch {
    process.stdout.write(`The last line is not JSON: ${last}\n`);
  }
  return { report, exitCode, tookMs: Math.round(performance.now() - startedMs) };
}

const home = mkdtempSync(join(tmpdir(), 'nh-limits-'));
for (const start of ['cold', 'warm'] as const) {
  const { report, exitCode, tookMs } = await runOnce(home);
  judge(`${start}: exits 0`, exitCode === 0, exitCode);
  judge(`${start}: a finished plan within the limit`, tookMs <= LIMITS.freshCloneMs, tookMs);
  if (report?.plan === undefined) {
    judge(`${start}: prints a report`, false, null);
    continue;
  }
  const { plan, tickets, rotations, startup, memory, leftovers } = report;
  judge(`${start}: the plan completed`, plan.status === 'COMPLETED', plan.status);
  judge(
    `${start}: every ticket completed`,
    tickets.length > 0 && tickets.every((t) => t.status === 'COMPLETED'),
    tickets.length,
  );
  judge(
    `${start}: credentials were rotated, by command and when due`,
    rotations.forced > 0 && rotations.due > 0,
    rotations,
  );
  judge(
    `${start}: at least 50 operations a rotation`,
    rotations.operationsDuring >= 50 * rotations.total,
    rotations.operationsDuring,
  );
  judge(`${start}: no operation failed`, rotations.failedOperations === 0, rotations.failedOperations);
  judge(`${start}: no stall over the limit`, rotations.maxStallMs <= LIMITS.stallMs, rotations.maxStallMs);
  judge(
    `${start}: nothing was left behind`,
    Object.values(leftovers).every((left) => left === 0),
    leftovers,
  );
  const { proportionalBytes } = memory;
  judge(`${start}: memory within the limit`, (proportionalBytes ?? 0) <= LIMITS.proportionalBytes, proportionalBytes);
  if (start === 'warm') judge('warm: ready in time', startup.readyMs <= LIMITS.warmStartMs, startup.readyMs);
}
rmSync(home, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
