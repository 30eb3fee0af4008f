/** A component that was started. */
export interface RunningComponent {
  /** As the server says it; empty where it does not. */
  readonly version: string;
  /** Under which names its clients look for it. Values may be secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Asks it. */
  isHealthy(): Promise<boolean>;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface StartContext {
  /** Receives what it writes. */
  readonly log: (line: string) => void;
  /** A private folder for files that its clients need, gone with the run. */
  readonly folder: string;
}

export type Starter = (context: StartContext) => Promise<RunningComponent>;
