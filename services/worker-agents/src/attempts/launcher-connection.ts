import { chownSync, mkdirSync, rmdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { z } from 'zod';
import { AttemptError } from './attempt-error.ts';
import { encodeFrame, FRAME, type FrameKind, FrameReader } from './frames.ts';
import { callOf, MAX_INPUT_CHARACTERS, type ProgramCatalogue } from './program-catalogue.ts';
import type { UidPool } from './uid-pool.ts';
import { WatchdogProcess } from './watchdog-process.ts';

/** What a worker asks for. Everything in it is checked again: the worker is less trusted than this process. */
export const launchRequest = z.strictObject({
  attemptId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/),
  program: z.string().max(64),
  values: z.record(z.string(), z.string()),
  sources: z
    .array(
      z.strictObject({
        from: z.string().startsWith('/').max(4_096),
        to: z
          .string()
          .max(1_024)
          .regex(/^(?!.*(?:^|\/)\.\.(?:\/|$))[^/].*$/s, 'must lie inside the workspace'),
      }),
    )
    .max(16),
  input: z.string().max(MAX_INPUT_CHARACTERS).optional(),
  credentials: z.record(z.string(), z.string().max(16_384)).optional(),
  timeoutMs: z.int().positive().max(86_400_000),
});
export type LaunchRequest = z.infer<typeof launchRequest>;

export interface ConnectionOptions {
  readonly programs: ProgramCatalogue;
  /** Belongs to this process; nobody else may make a folder in it. */
  readonly workspaces: string;
  readonly workerGid: number;
  readonly pool: UidPool;
  readonly watchdog: string;
  readonly node: string;
}

/** A watchdog that has not ended by itself this long after it was told to is not waited for. */
const WATCHDOG_LIMIT_MS = 1_000;
const GRACE_OVER_TIMEOUT_MS = 2_000;

/** One attempt, from the request until the worker hangs up. Resolves when nothing of the attempt is left. */
export async function serveAttempt(socket: Socket, options: ConnectionOptions): Promise<void> {
  const { pool } = options;
  const hungUp = new AbortController();
  socket.on('error', () => undefined);
  socket.once('close', () => hungUp.abort());
  socket.once('end', () => hungUp.abort());
  const send = (kind: FrameKind, payload: Buffer | object): boolean =>
    socket.writable ? socket.write(encodeFrame(kind, payload)) : true;
  let uid: number | undefined;
  let folder: string | undefined;
  try {
    const request = await readRequest(socket, hungUp.signal);
    const call = callOf(options.programs, request);
    uid = await pool.take(hungUp.signal);
    folder = makeWorkspace(options, request.attemptId, uid);
    send(FRAME.workspace, { path: join(folder, 'work') });
    const { attemptId, sources, timeoutMs, input, credentials } = request;
    const watchdog = new WatchdogProcess({
      program: options.watchdog,
      order: { attemptId, folder, sources, timeoutMs, input, credentials, ...call, ownUid: uid },
      uid,
      node: options.node,
    });
    forward(watchdog.stdout, socket, (chunk) => send(FRAME.stdout, chunk));
    forward(watchdog.stderr, socket, (chunk) => send(FRAME.stderr, chunk));
    // The watchdog keeps the time itself; the attempt, which has its uid, might have stopped it.
    const overdue = setTimeout(() => watchdog.destroy(), timeoutMs + GRACE_OVER_TIMEOUT_MS);
    const end = (): void => void endWatchdog(watchdog);
    hungUp.signal.addEventListener('abort', end, { once: true });
    if (hungUp.signal.aborted) end();
    try {
      const exit = await watchdog.exit;
      await endWatchdog(watchdog);
      await pool.reap(uid);
      await Promise.allSettled([finished(watchdog.stdout), finished(watchdog.stderr)]);
      send(FRAME.exit, exit);
    } finally {
      clearTimeout(overdue);
      await endWatchdog(watchdog);
    }
    if (!hungUp.signal.aborted) await new Promise((resolve) => hungUp.signal.addEventListener('abort', resolve));
  } catch (error) {
    const known = error instanceof AttemptError;
    send(FRAME.refused, {
      code: known ? error.code : 'lost',
      message: known ? error.message : 'The launcher cannot run the attempt',
    });
  } finally {
    try {
      if (uid !== undefined) {
        await pool.reap(uid, folder);
        if (folder !== undefined) rmdirSync(folder);
        pool.release(uid);
      }
    } finally {
      // Only now: the worker takes the end of the connection as the end of the attempt.
      socket.end();
    }
  }
}

function makeWorkspace({ workspaces, workerGid }: ConnectionOptions, attemptId: string, uid: number): string {
  const folder = join(workspaces, attemptId);
  try {
    mkdirSync(folder, { mode: 0o750 });
  } catch (error) {
    throw new AttemptError('refused', 'There is a workspace of this attempt already', { cause: error });
  }
  // The attempt owns it, the worker reads the product through its group, other attempts cannot enter.
  chownSync(folder, uid, workerGid);
  return folder;
}

async function endWatchdog(watchdog: WatchdogProcess): Promise<void> {
  const limit = setTimeout(() => watchdog.destroy(), WATCHDOG_LIMIT_MS);
  await watchdog.end();
  clearTimeout(limit);
}

function forward(stream: Readable, socket: Socket, send: (chunk: Buffer) => boolean): void {
  stream.on('data', (chunk: Buffer) => {
    if (send(chunk)) return;
    stream.pause();
    socket.once('drain', () => stream.resume());
  });
  // Nobody reads any more: let the program's output go, so that it can end.
  socket.once('close', () => stream.resume());
}

function readRequest(socket: Socket, signal: AbortSignal): Promise<LaunchRequest> {
  const reader = new FrameReader();
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    socket.on('data', (chunk: Buffer) => {
      try {
        const [frame] = reader.push(chunk);
        if (frame === undefined) return;
        if (frame.kind !== FRAME.request) throw new TypeError('a request was expected');
        const parsed = launchRequest.safeParse(JSON.parse(frame.payload.toString('utf8')));
        if (!parsed.success) throw parsed.error;
        resolve(parsed.data);
      } catch (error) {
        reject(new AttemptError('refused', 'The request is malformed', { cause: error }));
      }
    });
  });
}
