import { COMPONENTS, type Component, isCalled } from '../components.ts';
import { RealStackError } from '../real-stack-error.ts';
import { askRun, type RunState } from './control.ts';
import { inTurns } from './in-turns.ts';
import { Run } from './run.ts';
import { runFolder } from './run-folder.ts';
import { STARTERS } from './starters.ts';

/** More than one compiler at work on a small machine gains nothing; a download beside it does. */
const INSTALLS_AT_ONCE = 2;

export interface CommandContext {
  readonly root: string;
  readonly json: boolean;
  /** For people. */
  readonly tell: (line: string) => void;
  /** The command's result: one line, with `json` the only one on standard output. */
  readonly print: (text: string) => void;
}

type Command = (names: readonly string[], context: CommandContext) => Promise<number>;

export const COMMAND_NAMES = ['install', 'start', 'stop', 'status', 'env'] as const;

/** @throws RangeError for a name that no component has */
export function chosen(names: readonly string[]): readonly Component[] {
  const unknown = names.filter((name) => !COMPONENTS.some((component) => isCalled(component, name)));
  if (unknown.length > 0) throw new RangeError(`unknown component: ${unknown.join(', ')}`);
  return COMPONENTS.filter((component) => names.length === 0 || names.some((name) => isCalled(component, name)));
}

const install: Command = async (names, { json, tell, print }) => {
  const components = chosen(names);
  let done = 0;
  const results = await inTurns(components, INSTALLS_AT_ONCE, async ({ name, version, install: run }) => {
    const startMs = performance.now();
    await run((line) => tell(`${name}: ${line}`));
    const seconds = Math.round((performance.now() - startMs) / 1000);
    done += 1;
    tell(`${done} of ${components.length}: ${name} ${version} is there (${seconds} s)`);
    return { name, version, seconds };
  });
  const failed = results.flatMap((result, index) =>
    result.status === 'rejected' ? [{ name: components[index]?.name ?? '', reason: reasonOf(result.reason) }] : [],
  );
  for (const { name, reason } of failed) {
    tell(`${name} could not be installed, which blocks npm run test:real -- ${name}: ${reason}`);
  }
  const installed = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (json) print(JSON.stringify({ installed, failed }));
  else print(`${installed.length} installed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 3;
};

const start: Command = async (names, { root, json, tell, print }) => {
  const components = chosen(names).filter(({ name }) => names.length > 0 || STARTERS[name] !== undefined);
  const none = components.filter(({ name }) => STARTERS[name] === undefined);
  if (none.length > 0) throw new RangeError(`${none.map(({ name }) => name).join(', ')}: a program, not a server`);
  const folder = runFolder(root);
  const run = await Run.start(components, { folder, starters: STARTERS, tell });
  const ask = (): void => void run.stop();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, ask);
  const { pid, components: states } = await run.state();
  if (json) print(JSON.stringify({ pid, components: states }));
  else print('All answer. Ctrl-C ends them, and so does `npm run real -- stop`.');
  await run.ended;
  return 0;
};

const stop: Command = async (names, { root, json, print }) => {
  const which = names.length === 0 ? [] : chosen(names).map(({ name }) => name);
  const stopped = await askRun<readonly string[]>(runFolder(root).socket, 'stop', which);
  if (json) print(JSON.stringify({ stopped: stopped ?? [] }));
  else print(stopped === undefined ? 'Nothing is running.' : `Stopped: ${stopped.join(', ') || 'nothing'}`);
  return 0;
};

const status: Command = async (names, { root, json, print }) => {
  const wanted = chosen(names).map(({ name }) => name);
  const state = await askRun<RunState>(runFolder(root).socket, 'status');
  const components = (state?.components ?? []).filter(({ name }) => wanted.includes(name));
  const missing = names.length === 0 ? [] : wanted.filter((name) => !components.some((one) => one.name === name));
  if (json) print(JSON.stringify({ running: state !== undefined, pid: state?.pid, components, missing }));
  else if (state === undefined) print('Nothing is running.');
  else {
    for (const { name, version, healthy, log } of components) {
      print(`${name} ${version}: ${healthy ? 'answers' : 'does not answer'}; log: ${log}`);
    }
    for (const name of missing) print(`${name}: not started`);
  }
  const well = components.length > 0 && missing.length === 0 && components.every(({ healthy }) => healthy);
  return well ? 0 : 1;
};

const env: Command = async (names, { root, json, print }) => {
  const which = names.length === 0 ? [] : chosen(names).map(({ name }) => name);
  const variables = await askRun<Readonly<Record<string, string>>>(runFolder(root).socket, 'env', which);
  if (variables === undefined) throw new RealStackError('not_running', 'Nothing is running: npm run real -- start');
  if (json) print(JSON.stringify(variables));
  else for (const [name, value] of Object.entries(variables)) print(`export ${name}=${quoted(value)}`);
  return 0;
};

export const COMMANDS: Readonly<Record<(typeof COMMAND_NAMES)[number], Command>> = {
  install,
  start,
  stop,
  status,
  env,
};

/** For a POSIX shell. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
