import { parseArgs } from 'node:util';
import { messageOf } from '@neural-hive/security/common';
import { COMPONENTS } from '../components.ts';
import { RealStackError } from '../real-stack-error.ts';
import { COMMAND_NAMES, COMMANDS, type CommandContext } from './command.ts';
import { STARTERS } from './starters.ts';

const width = Math.max(...COMPONENTS.map(({ name }) => name.length));

const USAGE = `usage: npm run real -- install|start|stop|status|env [--json] [component…]

  install  fetches or builds what is not in the cache yet
  start    starts servers, each on a free port with TLS and credentials of the run, and stays in the foreground:
           Ctrl-C, \`stop\` or the end of this process, by whatever, ends them
  stop     ends components of the run, or all of it
  status   asks every component of the run; exits 1 unless all answer
  env      prints what clients need: eval "$(npm run -s real -- env)"; some of it is secret

components; default: all
${COMPONENTS.map(
  ({ name, version, aliases = [] }) =>
    `  ${name.padEnd(width)}  ${version}${aliases.length > 0 ? ` (or ${aliases.join(', ')})` : ''}${STARTERS[name] === undefined ? ', only installed' : ''}`,
).join('\n')}

One run for each checkout; REAL_STACK_RUN names another folder for it. With --json the last line is one JSON object.`;

/**
 * The command `real`. Wrong arguments end with 2, a component that cannot be installed or started with 3, a run that is not
 * well or not there with 1.
 */
export async function runReal(args: string[], io: Pick<CommandContext, 'root' | 'tell' | 'print'>): Promise<number> {
  try {
    return await run(args, io);
  } catch (error) {
    io.tell(messageOf(error));
    if (error instanceof RealStackError && error.code === 'not_running') return 1;
    return error instanceof RangeError || error instanceof TypeError ? 2 : 3;
  }
}

async function run(args: string[], io: Pick<CommandContext, 'root' | 'tell' | 'print'>): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  const [name, ...names] = positionals;
  if (values.help) {
    io.print(USAGE);
    return 0;
  }
  const command = COMMAND_NAMES.find((known) => known === name);
  if (command === undefined) {
    throw new RangeError(`${name === undefined ? 'which command?' : `unknown command: ${name}`}\n${USAGE}`);
  }
  return COMMANDS[command](names, { ...io, json: values.json });
}
