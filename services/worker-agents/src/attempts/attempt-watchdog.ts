/**
 * The guard of one attempt, a program of its own. It reads one line of JSON from standard input, fills the workspace,
 * starts the attempt's program in a process group of its own, and reports on file descriptor 3. When standard input
 * ends, because the worker closed it or died in whatever way, it kills every process of the attempt and ends.
 *
 * What it finds: the program's process group; every process with the attempt's marker in the environment it was started
 * with, or with its working directory below the workspace (Linux); and, when the attempt has a uid of its own, every
 * process of that uid. Without such a uid a descendant that leaves its group, its environment and the workspace escapes,
 * and the attempt can kill this program: then only the launcher's uid separation holds it.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

export interface WatchdogLimits {
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly file_bytes: number;
  readonly open_files: number;
  readonly processes: number;
}

export interface WatchdogOrder {
  readonly attemptId: string;
  /** An empty folder that belongs to this process. */
  readonly folder: string;
  readonly sources: readonly { readonly from: string; readonly to: string }[];
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: WatchdogLimits;
  /** For standard input. */
  readonly input?: string | undefined;
  /** For file descriptor 3. */
  readonly credentials?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number;
  /** Set when this process runs under a uid that no other process than the attempt's may have. */
  readonly ownUid?: number;
}

export type WatchdogReport =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'exit'; readonly code: number | null; readonly signal: string | null; readonly timedOut: boolean }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * Limits itself and becomes the program. A limit that is lower already stays; one that cannot be set ends it. The soft limit
 * of CPU time comes first, so that the end says why it came. Files count in blocks of 512 bytes, memory in kilobytes. What the
 * shell adds to the environment goes.
 */
const LIMITED = `
limit() {
  ulimit "$1" "$2" 2>/dev/null && return
  now=$(ulimit "$1") && [ "$now" != unlimited ] && [ "$now" -le "$2" ] && return
  echo "the limit $1 cannot be set" >&2
  exit 125
}
limit -c 0
limit -t "$(($1 + 1))"
ulimit -S -t "$1" 2>/dev/null
limit -f "$2"
limit -d "$3"
limit -n "$4"
if [ "$5" != - ]; then ulimit -u "$5" 2>/dev/null || limit -p "$5"; fi
shift 5
unset PWD OLDPWD
exec "$@"
`;

function limitedArgs({ command, args, limits, ownUid }: WatchdogOrder): string[] {
  const numbers = [
    limits.cpu_seconds,
    Math.ceil(limits.file_bytes / 512),
    Math.ceil(limits.memory_bytes / 1_024),
    limits.open_files,
    // The kernel counts by uid: under one that others have too, they would count.
    ownUid === undefined ? '-' : limits.processes,
  ];
  return ['-c', LIMITED, 'sh', ...numbers.map(String), command, ...args];
}

const REPORT_FD = 3;
const SCAN_ROUNDS = 40;
const SCAN_PAUSE_MS = 20;
const MAX_ORDER_CHARACTERS = 262_144;

/** Guards against the one mistake that would end every process of the machine. */
function mayKillAllOf(uid: number | undefined): uid is number {
  return uid !== undefined && uid > 0 && process.getuid?.() === uid && process.geteuid?.() === uid;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

/** Processes of the attempt that can be recognised. Linux only. */
function membersOf({ attemptId, folder }: WatchdogOrder): number[] {
  if (process.platform !== 'linux') return [];
  const marker = `HIVE_ATTEMPT=${attemptId}`;
  const belongs = (pid: string): boolean => {
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(marker)) return true;
      return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && belongs(name))
    .map(Number);
}

async function killAttempt(order: WatchdogOrder, group: number | undefined): Promise<void> {
  let clean = 0;
  for (let round = 0; round < SCAN_ROUNDS && clean < 2; round += 1) {
    if (group !== undefined) kill(-group);
    if (mayKillAllOf(order.ownUid)) kill(-1);
    const members = membersOf(order);
    for (const pid of members) kill(pid);
    clean = members.length === 0 ? clean + 1 : 0;
    if (clean < 2) await new Promise((resolve) => setTimeout(resolve, SCAN_PAUSE_MS));
  }
}

function report(message: WatchdogReport): void {
  try {
    writeSync(REPORT_FD, `${JSON.stringify(message)}\n`);
  } catch {
    // Whoever asked is gone; the end of standard input follows.
  }
}

function fill({ folder, sources }: WatchdogOrder): string {
  const workspace = join(folder, 'work');
  mkdirSync(workspace);
  mkdirSync(join(folder, 'tmp'), { mode: 0o700 });
  for (const { from, to } of sources) cpSync(from, join(workspace, to), { recursive: true, verbatimSymlinks: true });
  return workspace;
}

/** A program that does not read what it is given may end as it likes. */
function give(to: Writable | null | undefined, text: string | undefined): void {
  if (to == null || text === undefined) return;
  to.on('error', () => undefined);
  to.end(text);
}

function start(order: WatchdogOrder): () => Promise<void> {
  process.umask(0o022);
  const workspace = fill(order);
  // Within the shell it would be an exit code among others.
  accessSync(order.command, constants.X_OK);
  const credentials = order.credentials === undefined ? undefined : JSON.stringify(order.credentials);
  const child = spawn('/bin/sh', limitedArgs(order), {
    cwd: workspace,
    env: {
      ...order.env,
      HOME: workspace,
      TMPDIR: join(order.folder, 'tmp'),
      LANG: 'C.UTF-8',
      HIVE_ATTEMPT: order.attemptId,
      ...(credentials !== undefined && { HIVE_CREDENTIALS_FD: '3' }),
    },
    stdio: [
      order.input === undefined ? 'ignore' : 'pipe',
      'inherit',
      'inherit',
      ...(credentials === undefined ? [] : ['pipe' as const]),
    ],
    detached: true,
  });
  give(child.stdin, order.input);
  give(child.stdio[3] as Writable | undefined, credentials);
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    void killAttempt(order, child.pid);
  }, order.timeoutMs);
  child.once('spawn', () => report({ kind: 'started', pid: child.pid ?? 0 }));
  child.once('error', (error) => {
    clearTimeout(limit);
    report({ kind: 'failed', message: error.message });
  });
  child.once('exit', (code, signal) => {
    clearTimeout(limit);
    // What the program left behind must not go on while its product is read.
    void killAttempt(order, child.pid).then(() => report({ kind: 'exit', code, signal, timedOut }));
  });
  return () => killAttempt(order, child.pid);
}

let text = '';
let end: (() => Promise<void>) | undefined;

process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  if (end !== undefined) return;
  text += chunk;
  const newline = text.indexOf('\n');
  if (newline < 0 && text.length <= MAX_ORDER_CHARACTERS) return;
  end = async () => {};
  try {
    end = start(JSON.parse(text.slice(0, newline)) as WatchdogOrder);
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
});
const finish = (): void => {
  void Promise.resolve(end?.()).finally(() => process.exit(0));
};
process.stdin.once('end', finish);
process.stdin.once('error', finish);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
