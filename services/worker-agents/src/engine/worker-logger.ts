type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** The part of a logger that the engine uses. */
export interface WorkerLogger {
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}
