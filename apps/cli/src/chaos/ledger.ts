import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../platform/home.ts';
import { BUILD_PROGRAM, EFFECT_PROGRAM, EFFECT_UNDO_PROGRAM, FAILING_PROGRAM, PROJECT } from './workload.ts';

export type EffectKind = 'do' | 'undo';

/** One line of the ledger: an attempt had its effect. */
export interface LedgerLine {
  readonly kind: EffectKind;
  /** `<plan id>/<task id>`. */
  readonly effect: string;
  /** The idempotency key: the same for every attempt of one ticket. */
  readonly key: string;
  readonly fencing: number;
}

/**
 * Where the executors' effects go, outside the platform: an append-only file. Every line is one write, so that a program
 * that is killed has had its effect or has not. The attempt's name, which the platform gives to a program, is the fencing
 * token and the ticket's idempotency key.
 */
export class Ledger {
  readonly programsFile: string;
  readonly projectsFolder: string;
  readonly #file: string;

  private constructor(folder: string) {
    this.#file = join(folder, 'ledger');
    this.programsFile = join(folder, 'programs.json');
    this.projectsFolder = join(folder, 'projects');
  }

  /** Makes what the platform is given: an empty ledger, the list of programs that write to it, and a project to build. */
  static create(folder: string): Ledger {
    const ledger = new Ledger(folder);
    const project = join(ledger.projectsFolder, PROJECT);
    makeFolder(ledger.projectsFolder, { mode: 0o755 });
    mkdirSync(project);
    chmodSync(project, 0o755);
    writeReadable(join(project, 'version'), '1\n', 0o644);
    // Attempts append under uids of their own.
    writeReadable(ledger.#file, '', 0o666);
    writeReadable(ledger.programsFile, JSON.stringify(programsFor(ledger.#file)), 0o644);
    return ledger;
  }

  read(): readonly LedgerLine[] {
    return parseLedger(readFileSync(this.#file, 'utf8'));
  }
}

/** The mode is set apart, since the process's umask would narrow it. */
function writeReadable(path: string, content: string, mode: number): void {
  writeFileSync(path, content, { mode: 0o600 });
  chmodSync(path, mode);
}

/** The pauses make it likely that a fault comes before the effect, and after it but before the result. */
const EFFECT = 'sleep 0.1; printf "%s %s %s\\n" "$1" "$2" "$HIVE_ATTEMPT" >> "$3"; sleep 0.1';

function programsFor(file: string): object {
  const effect = (kind: EffectKind): object => ({
    task_types: ['EXECUTE'],
    command: '/bin/sh',
    args: ['-c', EFFECT, 'chaos', kind, '{effect}', file],
    placeholders: { effect: '[A-Za-z0-9._/-]{1,200}' },
    env: { PATH: '/usr/bin:/bin' },
  });
  const shell = (types: readonly string[], script: string): object => ({
    task_types: types,
    command: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
  });
  return {
    [EFFECT_PROGRAM]: { ...effect('do'), undo: EFFECT_UNDO_PROGRAM },
    [EFFECT_UNDO_PROGRAM]: effect('undo'),
    [FAILING_PROGRAM]: shell(['EXECUTE'], 'exit 7'),
    [BUILD_PROGRAM]: shell(['BUILD'], 'mkdir dist && cp version dist/version'),
  };
}

export function parseLedger(text: string): readonly LedgerLine[] {
  const lines = text.split('\n');
  // What follows the last newline is a line that somebody is writing: none here, since a line is one write.
  if (lines.pop() !== '') throw new Error('the ledger ends in the midst of a line');
  return lines.map((line) => {
    const match = /^(do|undo) (\S+) (\d+)-([0-9a-f]+)$/.exec(line);
    if (match === null) throw new Error(`this is no line of a ledger: ${JSON.stringify(line)}`);
    const [, kind, effect = '', fencing, key = ''] = match;
    return { kind: kind === 'do' ? 'do' : 'undo', effect, key, fencing: Number(fencing) };
  });
}
