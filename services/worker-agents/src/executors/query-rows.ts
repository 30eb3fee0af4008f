import type { ExecutionSettings } from '../domain/execution-settings.ts';

/** The rows of one answer, as far as the limits let them. */
export class QueryRows {
  readonly #limits: Pick<ExecutionSettings, 'max_rows' | 'max_result_bytes'>;
  readonly #rows: string[] = [];
  #bytes = 2;
  #truncated = false;

  constructor(limits: Pick<ExecutionSettings, 'max_rows' | 'max_result_bytes'>) {
    this.#limits = limits;
  }

  /** Takes one row as JSON. False: there is no place for it, nor for any after it. */
  add(json: string): boolean {
    this.#bytes += Buffer.byteLength(json) + 1;
    this.#truncated ||= this.#rows.length >= this.#limits.max_rows || this.#bytes > this.#limits.max_result_bytes;
    if (!this.#truncated) this.#rows.push(json);
    return !this.#truncated;
  }

  output(): Record<string, string> {
    return {
      rows: `[${this.#rows.join(',')}]`,
      row_count: String(this.#rows.length),
      truncated: String(this.#truncated),
    };
  }
}
