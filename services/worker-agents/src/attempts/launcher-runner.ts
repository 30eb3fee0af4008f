import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { assertSocketPath, messageOf } from '@neural-hive/security/common';
import { AttemptError, type AttemptErrorCode } from './attempt-error.ts';
import type { AttemptExit, AttemptRunner, AttemptSpec, FinishedAttempt } from './attempt-runner.ts';
import { assertAttemptId } from './direct-runner.ts';
import { flooded, isFlooded } from './flooding.ts';
import { encodeFrame, FRAME, type Frame, FrameReader } from './frames.ts';
import { type OutputLimits, OutputTail } from './output-tail.ts';

export interface LauncherRunnerOptions {
  readonly socketPath: string;
  readonly outputLimits?: OutputLimits;
}

/** Runs attempts under uids of their own, by asking the launcher. */
export class LauncherRunner implements AttemptRunner {
  readonly separated = true;
  readonly #options: LauncherRunnerOptions;
  readonly #connections = new Set<Socket>();

  constructor(options: LauncherRunnerOptions) {
    assertSocketPath(options.socketPath);
    this.#options = options;
  }

  /** Resolves when the launcher answers. */
  static async open(options: LauncherRunnerOptions): Promise<LauncherRunner> {
    const runner = new LauncherRunner(options);
    const socket = createConnection(options.socketPath);
    try {
      await once(socket, 'connect');
    } catch (error) {
      throw new AttemptError('lost', `The launcher of attempts does not answer: ${messageOf(error)}`, { cause: error });
    } finally {
      socket.destroy();
    }
    return runner;
  }

  async run(spec: AttemptSpec, { signal }: { signal: AbortSignal }): Promise<FinishedAttempt> {
    signal.throwIfAborted();
    assertAttemptId(spec.attemptId);
    const socket = createConnection(this.#options.socketPath);
    this.#connections.add(socket);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.once('close', () => this.#connections.delete(socket));
    // The launcher closes its side only when nothing of the attempt is left.
    const hangUp = async (): Promise<void> => {
      socket.end();
      await closed;
    };
    const abort = (): void => void socket.end();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const { outputBytes: _, ...request } = spec;
      socket.write(encodeFrame(FRAME.request, request));
      const finished = await this.#follow(socket, spec);
      signal.throwIfAborted();
      return { ...finished, dispose: hangUp };
    } catch (error) {
      await hangUp();
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #follow(socket: Socket, spec: AttemptSpec): Promise<Omit<FinishedAttempt, 'dispose'>> {
    const reader = new FrameReader();
    const output = new OutputTail(this.#options.outputLimits);
    let workspace = '';
    return new Promise((resolve, reject) => {
      const lost = (cause?: unknown): void => {
        reject(new AttemptError('lost', 'The launcher of attempts is away', { retryable: true, cause }));
      };
      const take = ({ kind, payload }: Frame): void => {
        if (kind === FRAME.stdout) output.add('stdout', payload);
        else if (kind === FRAME.stderr) output.add('stderr', payload);
        else if (kind === FRAME.workspace) workspace = (JSON.parse(payload.toString()) as { path: string }).path;
        else if (kind === FRAME.exit) {
          resolve({ exit: JSON.parse(payload.toString()) as AttemptExit, workspace, output });
        } else if (kind === FRAME.refused) {
          const { code, message } = JSON.parse(payload.toString()) as { code: AttemptErrorCode; message: string };
          reject(new AttemptError(code, message, { retryable: code === 'lost' }));
        }
      };
      socket.on('data', (chunk: Buffer) => {
        try {
          for (const frame of reader.push(chunk)) take(frame);
          if (isFlooded(output, spec)) reject(flooded(spec));
        } catch (error) {
          lost(error);
        }
      });
      socket.once('error', lost);
      socket.once('close', () => lost());
    });
  }

  async close(): Promise<void> {
    const closing = [...this.#connections].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of this.#connections) socket.end();
    await Promise.all(closing);
  }
}
