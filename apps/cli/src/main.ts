import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { RotateKafkaOptions } from './commands/rotate-kafka.ts';
import type { RotateMongodbOptions } from './commands/rotate-mongodb.ts';
import { EXIT, Failure } from './failure.ts';
import { createOutput, type Output } from './output.ts';
import { PROFILES, type ProfileName } from './platform/profile.ts';

const EXIT_CODES = `
Exit codes:
  0  done, and the plan (where there is one) completed
  1  the work ended badly: a plan failed, was cancelled or compensated, or a figure fell short
  2  the input is wrong: every problem is listed, nothing was stored
  3  the surroundings do not allow it: no platform running, port taken, folder not writable, Node too old
  4  the platform refused the caller
`;

interface CommonOptions {
  readonly json: boolean;
  readonly home?: string;
}

/** Runs a command and turns what it throws into an exit code and lines that say what to do. */
async function run(options: CommonOptions, command: (output: Output) => Promise<number>): Promise<void> {
  const output = createOutput({ json: options.json });
  try {
    process.exitCode = await command(output);
  } catch (error) {
    const failure = error instanceof Failure ? error : undefined;
    process.exitCode = failure?.exitCode ?? EXIT.fellShort;
    const message = failure?.message ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.stderr.write(`hive: ${message}\n`);
    for (const detail of failure?.details ?? []) process.stderr.write(`  ${detail}\n`);
    output.result({ error: { message: failure?.message ?? 'internal error', details: failure?.details ?? [] } });
  }
}

function workerCount(text: string): number {
  if (/^([1-9]|1[0-6])$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 to 16.');
}

function program(): Command {
  const hive = new Command('hive')
    .description('Runs the Neural Hive platform on this machine and talks to it.')
    .version('0.1.0')
    .exitOverride()
    .showHelpAfterError()
    .addHelpText('after', EXIT_CODES);

  const withCommon = (command: Command): Command =>
    command
      .option('--json', 'machine-readable: the last line of stdout is one JSON object', false)
      .option('--home <folder>', 'the data folder (default: HIVE_HOME, else the system place for it)');

  withCommon(hive.command('up'))
    .description('bring the platform up, run a release through it, rotate every credential, stay up until Ctrl-C')
    .option('--once', 'shut down when the release and the rotations are done, and count what was left behind', false)
    .option('--no-job', 'only bring the platform up')
    .option('--workers <number>', 'worker processes, 1 to 16', workerCount, 1)
    .addOption(
      new Option('--profile <name>', 'what it stands on: this repository alone, or real servers')
        .choices(PROFILES)
        .default('embedded'),
    )
    .action((options: CommonOptions & { once: boolean; job: boolean; workers: number; profile: ProfileName }) =>
      run(options, async (output) => (await import('./commands/up.ts')).up(options, output)),
    );
  withCommon(hive.command('down'))
    .description('stop the running platform')
    .action((options: CommonOptions) =>
      run(options, async (output) => (await import('./commands/down.ts')).down(options, output)),
    );
  withCommon(hive.command('status'))
    .description('show the services and credentials of the running platform')
    .action((options: CommonOptions) =>
      run(options, async (output) => (await import('./commands/status.ts')).status(options, output)),
    );

  const plan = hive.command('plan').description('submit, follow and decide plans');
  withCommon(plan.command('submit'))
    .description('submit a plan as /operator')
    .argument('<file>', 'a plan as JSON')
    .option('--watch', 'follow the plan to its end', false)
    .option('--approve', 'approve it at once, as the same operator', false)
    .option('--id <plan id>', 'submit it under this id instead of the one in the file')
    .action((file: string, options: CommonOptions & { watch: boolean; approve: boolean; id?: string }) =>
      run(options, async (output) => (await import('./commands/plan.ts')).submitPlan(file, options, output)),
    );
  withCommon(plan.command('show'))
    .description('show a plan and its tickets')
    .argument('<plan id>')
    .action((id: string, options: CommonOptions) =>
      run(options, async (output) => (await import('./commands/plan.ts')).showPlan(id, options, output)),
    );
  withCommon(plan.command('list'))
    .description('list plans, the newest first')
    .option('--status <status>', 'only those with this status')
    .option('--limit <number>', 'at most so many', '20')
    .action((options: CommonOptions & { status?: string; limit: string }) =>
      run(options, async (output) => (await import('./commands/plan.ts')).listPlans(options, output)),
    );
  for (const [verb, what] of [
    ['approve', 'approve a plan that waits for it'],
    ['reject', 'refuse a plan that waits for approval'],
    ['cancel', 'stop a plan; what it completed is undone'],
  ] as const) {
    withCommon(plan.command(verb))
      .description(what)
      .argument('<plan id>')
      .option('--reason <text>', 'kept in the audit trail')
      .action((id: string, options: CommonOptions & { reason?: string }) =>
        run(options, async (output) => (await import('./commands/plan.ts')).decidePlan(verb, id, options, output)),
      );
  }
  for (const [verb, what] of [
    ['pause', 'begin nothing more of a plan; what runs already ends, and deadlines stand still'],
    ['resume', 'go on with a paused plan'],
  ] as const) {
    withCommon(plan.command(verb))
      .description(what)
      .argument('<plan id>')
      .action((id: string, options: CommonOptions) =>
        run(options, async (output) => (await import('./commands/plan.ts')).decidePlan(verb, id, options, output)),
      );
  }

  const dlq = hive.command('dlq').description('look at tickets that were given up, and try them again');
  withCommon(dlq.command('list'))
    .description('list them, the newest first')
    .option('--all', 'also those that were tried again', false)
    .option('--limit <number>', 'at most so many', '20')
    .action((options: CommonOptions & { all: boolean; limit: string }) =>
      run(options, async (output) => (await import('./commands/dlq.ts')).listDeadLetters(options, output)),
    );
  withCommon(dlq.command('show'))
    .description('show why one was given up')
    .argument('<ticket id>')
    .action((id: string, options: CommonOptions) =>
      run(options, async (output) => (await import('./commands/dlq.ts')).showDeadLetter(id, options, output)),
    );
  withCommon(dlq.command('retry'))
    .description('try one again: an undo within its plan, of any other ticket the whole plan under an id of its own')
    .argument('<ticket id>')
    .option('--watch', 'follow the plan to its end', false)
    .action((id: string, options: CommonOptions & { watch: boolean }) =>
      run(options, async (output) => (await import('./commands/dlq.ts')).retryDeadLetter(id, options, output)),
    );

  const rotate = hive.command('rotate').description('replace a login that is kept in KV, while its users work');
  const withRotation = (command: Command): Command =>
    withCommon(command)
      .option('--path <path>', 'the KV entry with the login to replace')
      .option('--mount <mount>', 'the KV engine', 'secret')
      .option('--admin-path <path>', 'the KV entry with the login that may make users')
      .option('--consumer <name...>', 'wait for this consumer too, besides those that report', [])
      .option('--allow-no-consumers', 'go on when there is nobody to wait for', false)
      .option('--prefix <text>', 'what new user names begin with (default: the path with dashes)')
      .option('--deadline <seconds>', 'how long consumers may take; late ones count as gone', '300')
      .option('--vault-address <url>', 'default: VAULT_ADDR', process.env.VAULT_ADDR)
      .option('--vault-ca <file>', 'default: VAULT_CACERT', process.env.VAULT_CACERT)
      .option('--vault-token-file <file>', 'a file with the token')
      .option('--vault-role <role>', 'log in by JWT with this role')
      .option('--vault-jwt-file <file>', 'a file with the JWT')
      .option('--vault-auth-mount <mount>', 'of the jwt method', 'jwt');
  withRotation(rotate.command('kafka'))
    .description('replace a Kafka SCRAM user: make B, write KV, wait for every consumer, delete A')
    .option('--broker <host:port...>', 'brokers to ask, the first that answers is', [])
    .option('--ca <file>', "the authority of the brokers' certificates, in PEM (default: the system's)")
    .option('--template <user>', 'for a first login: the user whose ACLs it gets')
    .action((options: CommonOptions & RotateKafkaOptions) =>
      run(options, async (output) => (await import('./commands/rotate-kafka.ts')).rotateKafka(options, output)),
    );
  withRotation(rotate.command('mongodb'))
    .description('replace a MongoDB user: make B, write KV, wait for every consumer, drop A')
    .option('--uri <uri>', 'mongodb://HOST:PORT or mongodb+srv://HOST, without a login; always over TLS')
    .option('--ca <file>', "the authority of the servers' certificates, in PEM (default: the system's)")
    .option('--database <name>', 'the database that the users belong to', 'admin')
    .option('--template <user>', 'for a first login: the user whose roles it gets')
    .option('--role <role@database...>', 'for a first login without a template: a role that it gets', [])
    .action((options: CommonOptions & RotateMongodbOptions) =>
      run(options, async (output) => (await import('./commands/rotate-mongodb.ts')).rotateMongodb(options, output)),
    );
  return hive;
}

try {
  await program().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
}
