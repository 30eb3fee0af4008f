import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { EXIT, Failure } from '../failure.ts';
import { EMBEDDED, REAL } from './chaos-platform.ts';
import { runChaos } from './chaos-run.ts';

const HELP = `
Starts a platform of its own, submits plans of every shape all the time, and meanwhile kills (SIGKILL) and pauses
(SIGSTOP, SIGCONT) its processes: services, workers, the authority, PostgreSQL, one after another and together. With
--profile real the other servers, which nobody starts again, are only paused. The same seed makes the same faults at the same times. What the executors do goes into a ledger outside the platform. At the end it
waits until every plan is final, ends the platform, and compares.

Progress goes to standard error. The last line of standard output is JSON:
  {faults, plans, tickets, lost, doubled, leasesLeft}
  lost        tickets that are not final, or that are said to be done (or undone) and are not
  doubled     effects or results that counted twice
  leasesLeft  database logins that nobody holds, and leases, logins and sessions that outlived the platform

Exit codes:
  0  lost, doubled and leasesLeft are 0, and every plan is final
  1  they are not
  2  bad arguments
  3  the surroundings do not allow it
`;

interface Arguments {
  readonly seed: number;
  readonly minutes: number;
  readonly profile: 'embedded' | 'real';
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (/^\d{1,10}$/.test(text) && seed < 2 ** 32) return seed;
  throw new InvalidArgumentError('It must be a whole number from 0 to 4294967295.');
}

function minutesOf(text: string): number {
  const minutes = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && minutes >= 0.1 && minutes <= 1_440) return minutes;
  throw new InvalidArgumentError('It must be a number from 0.1 to 1440.');
}

async function run({ seed, minutes, profile }: Arguments): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stop.abort(new Failure(EXIT.fellShort, `Stopped by ${signal}.`)));
  }
  const onLine = (line: string): void => void process.stderr.write(`${line}\n`);
  try {
    const { report, passed } = await runChaos({
      ...{ seed, minutes, onLine, signal: stop.signal },
      profile: profile === 'real' ? REAL : EMBEDDED,
    });
    process.stdout.write(`${JSON.stringify(report)}\n`);
    process.exitCode = passed ? EXIT.ok : EXIT.fellShort;
  } catch (error) {
    const cause = stop.signal.aborted ? stop.signal.reason : error;
    const failure = cause instanceof Failure ? cause : undefined;
    const message = failure?.message ?? (cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
    process.stderr.write(`chaos: ${message}\n`);
    process.exitCode = failure?.exitCode ?? EXIT.fellShort;
  }
}

const chaos = new Command('chaos')
  .description('Kills and pauses a working platform at random, and counts what was lost or done twice.')
  .requiredOption('--seed <number>', 'of the faults and of the plans', seedOf)
  .requiredOption('--minutes <number>', 'how long faults come', minutesOf)
  .addOption(new Option('--profile <name>', 'what is started').choices(['embedded', 'real']).default('embedded'))
  .option('--json', 'has no effect: the last line of standard output is JSON in any case', false)
  .addHelpText('after', HELP)
  .exitOverride()
  .allowExcessArguments(false)
  .action(run);

try {
  await chaos.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
}
