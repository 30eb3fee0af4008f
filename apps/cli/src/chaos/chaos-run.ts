import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { asOperator, type Operator } from '../client/operator.ts';
import { makeFolder } from '../platform/home.ts';
import { ChaosPlatform, type Leftovers, type Profile } from './chaos-platform.ts';
import { FaultInjector } from './fault-injector.ts';
import { faultSchedule } from './fault-schedule.ts';
import { Ledger } from './ledger.ts';
import { PlanStream } from './plan-stream.ts';
import { judge, type Verdict } from './verdict.ts';

/** The last line of the command. */
export interface ChaosReport {
  readonly faults: number;
  readonly plans: number;
  readonly tickets: number;
  readonly lost: number;
  readonly doubled: number;
  /** Database logins that nobody holds any more, and leases, logins and sessions that were there after the end. */
  readonly leasesLeft: number;
}

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly profile: Profile;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface ChaosOutcome {
  readonly report: ChaosReport;
  readonly passed: boolean;
}

/** After the last fault, until every plan has to be final. Longer than the longest time limit of an attempt. */
const SETTLE_LIMIT_MS = 300_000;
/** After that, until what was held by those who were killed has to be given back. */
const LEASES_LIMIT_MS = 60_000;
const PROGRESS_EVERY_MS = 15_000;
const POLL_MS = 500;

/** Starts a platform, works and disturbs it for so many minutes, waits for the end of what was begun, and judges. */
export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'hive-chaos-'));
  makeFolder(folder, { mode: 0o711 });
  try {
    return await runIn(folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runIn(folder: string, options: ChaosOptions): Promise<ChaosOutcome> {
  const { profile, onLine, signal } = options;
  const ledger = Ledger.create(folder);
  const platform = await ChaosPlatform.start({ profile, data: join(folder, 'home'), ledger, onLine, signal });
  let worked: Worked | undefined;
  let leftovers: Leftovers | undefined;
  try {
    worked = await asOperator(platform.data, (operator) => disturb(platform, operator, options));
  } finally {
    leftovers = await platform.close();
  }
  const { faults, plans, unheldLogins } = worked;
  const verdict = judge(plans, ledger.read());
  tell(verdict, onLine);
  if (unheldLogins > 0) onLine(`${unheldLogins} database logins were leased and held by nobody`);
  onLine(leftovers === undefined ? 'the platform did not end in order' : `left behind: ${JSON.stringify(leftovers)}`);
  const { leases = 1, roles = 0, sessions = 0, users = 0, processes = 1 } = leftovers ?? {};
  const report = {
    ...{ faults, plans: plans.length, tickets: verdict.tickets },
    ...{ lost: verdict.lost.length, doubled: verdict.doubled.length },
    leasesLeft: unheldLogins + leases + roles + sessions + users,
  };
  const clean = report.lost === 0 && report.doubled === 0 && report.leasesLeft === 0 && processes === 0;
  return { report, passed: clean && plans.every(({ view }) => view.final) };
}

interface Worked {
  readonly faults: number;
  readonly plans: Awaited<ReturnType<PlanStream['collect']>>;
  readonly unheldLogins: number;
}

async function disturb(
  platform: ChaosPlatform,
  { orchestrator }: Operator,
  { seed, minutes, onLine, signal }: ChaosOptions,
): Promise<Worked> {
  const undisturbed = platform.openLogins() ?? 0;
  const stream = new PlanStream({ orchestrator, seed, run: randomBytes(4).toString('hex'), onLine, signal });
  const injector = new FaultInjector({ victims: platform, onLine, signal });
  const schedule = faultSchedule({ seed, minutes, targets: platform.targets });
  onLine(`seed ${seed}: ${schedule.length} faults in ${minutes} minutes`);
  const startedMs = performance.now();
  const telling = setInterval(() => {
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    onLine(`${seconds} s: ${stream.submitted} plans, ${injector.struck} faults`);
  }, PROGRESS_EVERY_MS);
  try {
    const over = new AbortController();
    const submitting = stream.run(AbortSignal.any([over.signal, signal]));
    await Promise.race([injector.run(schedule, startedMs), submitting]);
    over.abort();
    await submitting;
    signal.throwIfAborted();
    onLine(`the faults are over: waiting for ${stream.submitted} plans`);
    const settled = await stream.settle(SETTLE_LIMIT_MS);
    if (settled && (await stream.retryUndos()) > 0) await stream.settle(SETTLE_LIMIT_MS);
    const plans = await stream.collect();
    return { faults: injector.struck, plans, unheldLogins: await unheldLogins(platform, undisturbed) };
  } finally {
    clearInterval(telling);
  }
}

/**
 * Database logins that are leased beyond those of an undisturbed platform: what killed ones leave behind is given back when
 * they are started again. In the midst of a rotation there is one more for a moment.
 */
async function unheldLogins(platform: ChaosPlatform, undisturbed: number): Promise<number> {
  for (const endMs = performance.now() + LEASES_LIMIT_MS; ; await delay(POLL_MS)) {
    const unheld = (platform.openLogins() ?? undisturbed) - undisturbed;
    if (unheld <= 0 || performance.now() > endMs) return Math.max(0, unheld);
  }
}

function tell({ lost, doubled, repeats }: Verdict, onLine: (line: string) => void): void {
  for (const line of lost) onLine(`lost: ${line}`);
  for (const line of doubled) onLine(`doubled: ${line}`);
  onLine(`${repeats} effects came again under the key that they had had before, as a receiver has to expect`);
}
