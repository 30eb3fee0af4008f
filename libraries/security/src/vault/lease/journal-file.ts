import { closeSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import type { JournalOwner } from './journal-owner.ts';

/** What a journal says is left. */
export interface JournalContents {
  readonly owner: JournalOwner | undefined;
  readonly accessors: ReadonlySet<string>;
  readonly leases: ReadonlySet<string>;
}

/** One line each: who writes, whose leases they are, what was leased, what is gone. Accessors and ids, never secrets. */
export type JournalLine =
  | { readonly owner: JournalOwner }
  | { readonly accessor: string }
  | { readonly lease: string }
  | { readonly gone: string };

/** A file that only its owner may read and that grows by whole lines. What was written survives the process. */
export class JournalFile {
  readonly path: string;
  #descriptor: number;
  #lines = 0;

  constructor(path: string, lines: readonly JournalLine[]) {
    this.path = path;
    this.#descriptor = openSync(path, 'wx', 0o600);
    for (const line of lines) this.append(line);
  }

  /** Lines so far, for deciding when to write it anew. */
  get lines(): number {
    return this.#lines;
  }

  append(line: JournalLine): void {
    writeSync(this.#descriptor, `${JSON.stringify(line)}\n`);
    this.#lines += 1;
  }

  /** Replaces the whole by `lines`. A reader sees the old or the new one. */
  rewrite(lines: readonly JournalLine[]): void {
    const draft = `${this.path}.draft`;
    const descriptor = openSync(draft, 'w', 0o600);
    writeSync(descriptor, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    renameSync(draft, this.path);
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#lines = lines.length;
  }

  close(options: { remove: boolean }): void {
    closeSync(this.#descriptor);
    if (options.remove) unlinkSync(this.path);
  }
}

/** Reads a journal; a line that is torn or unknown says nothing. */
export function readJournal(path: string): JournalContents {
  let owner: JournalOwner | undefined;
  const accessors = new Set<string>();
  const leases = new Set<string>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const value = parseLine(line);
    if (isOwner(value.owner)) owner = value.owner;
    if (typeof value.accessor === 'string') accessors.add(value.accessor);
    if (typeof value.lease === 'string') leases.add(value.lease);
    if (typeof value.gone === 'string') leases.delete(value.gone);
  }
  return { owner, accessors, leases };
}

function parseLine(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isOwner(value: unknown): value is JournalOwner {
  if (typeof value !== 'object' || value === null) return false;
  const { host, pid, started } = value as Record<string, unknown>;
  return typeof host === 'string' && Number.isSafeInteger(pid) && typeof started === 'string';
}
