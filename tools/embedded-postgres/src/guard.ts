import { type ChildProcess, spawn } from 'node:child_process';
import { SERVER_ENVIRONMENT } from './cluster.ts';
import type { RunAs } from './run-as.ts';

/** The guard's `$0`: how a later start recognises a server that is looked after. */
export const GUARD_NAME = 'embedded-postgres-guard';

/**
 * The guard starts the server and waits for it. A second shell reads the guard's standard input, a pipe that only our
 * process holds open: its end, by whatever death of ours, shuts the server down (SIGINT: fast and clean for
 * PostgreSQL; SIGQUIT after 10 s). A shell and not Node, because it costs 1 MB instead of 40.
 */
const GUARD_SCRIPT = `
exec 3<&0 0</dev/null
remove=$1; ask=$2; force=$3; shift 3
"$@" 3<&- &
server=$!
(
  exec 1>/dev/null 2>&1
  while read -r _ <&3; do :; done
  kill -$ask $server
  tries=0
  while [ $tries -lt 100 ] && kill -0 $server; do sleep 0.1; tries=$((tries + 1)); done
  kill -$force $server
) &
watcher=$!
exec 3<&-
wait $server
code=$?
if [ -n "$remove" ]; then rm -rf -- "$remove"; fi
kill $watcher 2>/dev/null
exit $code
`;

export interface GuardOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly user: RunAs;
  /** A folder to delete when the server has ended, for throw-away clusters. */
  readonly removeFolder?: string | undefined;
  /** Default: that of PostgreSQL. */
  readonly env?: NodeJS.ProcessEnv;
  /** What asks the server to end, and what makes it after 10 s. Default INT and QUIT. */
  readonly stopSignals?: readonly [string, string] | undefined;
}

/** Starts the server under a guard, in a session of their own so that Ctrl-C reaches neither. */
export function spawnGuarded({
  program,
  args,
  user,
  removeFolder = '',
  env = SERVER_ENVIRONMENT,
  stopSignals = ['INT', 'QUIT'],
}: GuardOptions): ChildProcess {
  const child = spawn('/bin/sh', ['-c', GUARD_SCRIPT, GUARD_NAME, removeFolder, ...stopSignals, program, ...args], {
    cwd: '/',
    env,
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    ...(user.switches ? { uid: user.uid, gid: user.gid } : {}),
  });
  child.stdin?.on('error', () => {});
  return child;
}
