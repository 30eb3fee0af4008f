import { RealStackError } from '../real-stack-error.ts';

export type Instruction =
  | {
      readonly kind: 'copy';
      readonly from: string | undefined;
      readonly sources: readonly string[];
      readonly target: string;
    }
  | { readonly kind: 'run'; readonly command: string }
  | { readonly kind: 'workdir'; readonly folder: string }
  | { readonly kind: 'env'; readonly values: Readonly<Record<string, string>> }
  | { readonly kind: 'user'; readonly uid: number; readonly gid: number }
  | { readonly kind: 'entrypoint'; readonly words: readonly string[] }
  | { readonly kind: 'cmd'; readonly words: readonly string[] };

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/**
 * Reads the part of the Dockerfile language that ours use. Anything else is refused: what is not understood cannot be
 * carried out. @throws RealStackError `command_failed` that names the line
 */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of linesOf(text)) {
    const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(line) ?? [];
    if (word === 'FROM') {
      const [, base = '', , name] = /^(\S+)(\s+AS\s+(\S+))?$/.exec(rest) ?? refuse(line);
      stages.push({ base, name, instructions: [] });
      continue;
    }
    (stages.at(-1) ?? refuse(line)).instructions.push(instructionOf(word, rest, line));
  }
  return stages;
}

/** Without comments; a line that ends with a backslash goes on. */
function linesOf(text: string): string[] {
  const written = text.split('\n').filter((line) => !/^\s*#/.test(line));
  return written
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function instructionOf(word: string, rest: string, line: string): Instruction {
  switch (word) {
    case 'WORKDIR':
      return { kind: 'workdir', folder: rest };
    case 'RUN':
      return { kind: 'run', command: rest };
    case 'ENV': {
      const [, name = '', value = ''] = /^([A-Z][A-Z0-9_]*)=(\S+)$/.exec(rest) ?? refuse(line);
      return { kind: 'env', values: { [name]: value } };
    }
    case 'USER': {
      const [, uid, gid] = /^(\d+):(\d+)$/.exec(rest) ?? refuse(line);
      return { kind: 'user', uid: Number(uid), gid: Number(gid) };
    }
    case 'COPY': {
      const [, , from, paths = ''] = /^(--from=(\S+)\s+)?((?!--).*)$/.exec(rest) ?? refuse(line);
      const words = paths.split(/\s+/);
      const target = words.pop() ?? refuse(line);
      return words.length === 0 ? refuse(line) : { kind: 'copy', from, sources: words, target };
    }
    case 'ENTRYPOINT':
    case 'CMD':
      return { kind: word === 'CMD' ? 'cmd' : 'entrypoint', words: wordsOf(rest, line) };
    default:
      return refuse(line);
  }
}

/** The exec form: without a shell, so that signals reach the program. */
function wordsOf(text: string, line: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {}
  return refuse(line);
}

function refuse(line: string): never {
  throw new RealStackError('command_failed', `This line of a Dockerfile is not understood here: ${line}`);
}
