import type { OutputTail } from './output-tail.ts';

/** A folder that is copied into the workspace before the program starts. */
export interface AttemptSource {
  /** Absolute. */
  readonly from: string;
  /** Below the working directory; `.` is the directory itself. */
  readonly to: string;
}

export interface AttemptSpec {
  /** Unique among all attempts; letters, digits, dot, dash and underscore. */
  readonly attemptId: string;
  /** A name of the allow-list. */
  readonly program: string;
  /** What the placeholders in the program's arguments stand for. */
  readonly values: Readonly<Record<string, string>>;
  readonly sources: readonly AttemptSource[];
  /** What the program reads from standard input. Default: nothing. */
  readonly input?: string | undefined;
  /** What the program reads from file descriptor 3, for the names that it may have. */
  readonly credentials?: Readonly<Record<string, string>> | undefined;
  /** The attempt is ended when it has said more. Default: no limit. */
  readonly outputBytes?: number;
  /** The program and all its descendants are killed after this. In milliseconds. */
  readonly timeoutMs: number;
}

/** How the program ended. Exactly one of `code` and `signal` is set. */
export interface AttemptExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
}

export interface FinishedAttempt {
  readonly exit: AttemptExit;
  /** The program's working directory. No process of the attempt is alive; it can be read until `dispose`. */
  readonly workspace: string;
  readonly output: OutputTail;
  /** Removes the workspace. */
  dispose(): Promise<void>;
}

/**
 * Runs one allow-listed program in a fresh workspace, so that no process of it outlives the caller.
 * `run` rejects with the signal's reason once every process of an aborted attempt is dead, and with an `AttemptError`
 * when the program could not be run at all.
 */
export interface AttemptRunner {
  /** Whether attempts run under a uid of their own. */
  readonly separated: boolean;
  run(spec: AttemptSpec, options: { readonly signal: AbortSignal }): Promise<FinishedAttempt>;
  close(): Promise<void>;
}
