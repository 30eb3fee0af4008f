import { setTimeout as delay } from 'node:timers/promises';
import { operatorIdentity } from '../client/operator.ts';
import { EXIT, Failure } from '../failure.ts';
import { type RunningReport, runReleaseJob } from '../job/release-job.ts';
import { type JobReport, shortcomings } from '../job/report.ts';
import type { Output } from '../output.ts';
import { Platform } from '../platform/platform.ts';
import type { ProfileName } from '../platform/profile.ts';

export interface UpOptions {
  readonly profile?: ProfileName;
  readonly home?: string;
  readonly once: boolean;
  readonly job: boolean;
  /** Worker processes. Default 1. */
  readonly workers?: number;
}

/** After Ctrl-C, for the step of the job that runs. */
const JOB_GRACE_MS = 2_000;

/** Brings the platform up, runs the main job, and stays until Ctrl-C or, with `once`, ends with a report. */
export async function up(options: UpOptions, output: Output): Promise<number> {
  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) =>
    stop.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop.abort(new Error(signal)));

  output.heading('Neural Hive on this machine');
  const platform = await Platform.open({ ...options, signal: stop.signal }, output).catch((error: unknown) => {
    throw stop.signal.aborted ? new Failure(EXIT.fellShort, 'Stopped before the platform was ready.') : error;
  });
  let running: RunningReport | undefined;
  let failure: unknown;
  try {
    output.line(`ready after ${(platform.readyMs / 1000).toFixed(1)} s`);
    if (options.job && !stop.signal.aborted) {
      const identity = await operatorIdentity(platform.state.operatorSocket);
      try {
        const job = runReleaseJob({ platform, identity, output, signal: stop.signal });
        running = await Promise.race([job, stopped.then(() => undefined)]);
        // What it began, such as a rotation, ends before the platform under it does.
        await Promise.race([job.catch(() => undefined), delay(JOB_GRACE_MS, undefined, { ref: false })]);
      } finally {
        await identity.close();
      }
    }
    if (!options.once && !stop.signal.aborted) {
      output.line(
        '\nThe platform is up. In another terminal: npx hive status, npx hive plan submit FILE --watch. Ctrl-C stops it.',
      );
      await stopped;
    }
  } catch (error) {
    failure = error;
  }
  const leftovers = await platform.close();
  if (failure !== undefined) throw failure;
  const report: JobReport | undefined = running && { ...running.report, leftovers };
  output.result(report ?? { startup: { readyMs: platform.readyMs }, leftovers });
  const missed = report === undefined ? [] : [...shortcomings(report), ...(running?.missed ?? [])];
  for (const line of missed) output.line(`fell short: ${line}`);
  const left = Object.entries(leftovers).map(([what, count]) => `${count} ${what}`);
  output.line(`left behind: ${left.join(', ')}`);
  return missed.length === 0 ? EXIT.ok : EXIT.fellShort;
}
