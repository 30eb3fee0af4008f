import { dirname, isAbsolute, join, normalize } from 'node:path';
import { z } from 'zod';
import { AttemptError } from './attempt-error.ts';
import type { AttemptSpec } from './attempt-runner.ts';

const PLACEHOLDER = /\{([a-z][a-z0-9_]*)\}/g;
const MAX_VALUE_CHARACTERS = 4_096;

const absolutePath = z.string().refine(isAbsolute, 'must be an absolute path');
const folderInside = z
  .string()
  .min(1)
  .refine((path) => !isAbsolute(path) && !normalize(path).startsWith('..'), 'must lie inside the workspace');

/** One program that tickets may name. They choose it by name; what is run is written here and nowhere else. */
export const allowedProgram = z.strictObject({
  task_types: z.array(z.enum(['BUILD', 'TEST'])).min(1),
  command: absolutePath,
  /** `{name}` stands for a value that the executor supplies. A value never becomes more than one argument. */
  args: z.array(z.string()),
  /** Which text each placeholder may stand for: an anchored regular expression. */
  placeholders: z.record(z.string(), z.string()).default({}),
  env: z.record(z.string(), z.string()).default({}),
  /** BUILD: the folder that is the product. TEST: where the product that is tested is laid. */
  product: folderInside.default('dist'),
});
export type AllowedProgram = z.output<typeof allowedProgram>;

/** The allow-list: names to programs. */
export const programCatalogue = z.record(z.string().regex(/^[a-z][a-z0-9-]{0,63}$/), allowedProgram);
export type ProgramCatalogue = z.output<typeof programCatalogue>;

export interface ToolChain {
  /** The Node binary. Default: the one that runs this. */
  readonly node?: string;
  /** The folder of the `typescript` package. */
  readonly typescript: string;
}

/** The programs of the platform: the TypeScript compiler, Node's test runner, and the check of a deployed release. */
export function defaultPrograms({ node = process.execPath, typescript }: ToolChain): ProgramCatalogue {
  const path = { PATH: `${dirname(node)}:/usr/local/bin:/usr/bin:/bin` };
  return programCatalogue.parse({
    'tsc-build': {
      task_types: ['BUILD'],
      command: node,
      args: [join(typescript, 'bin', 'tsc'), '-p', 'tsconfig.json'],
      env: path,
    },
    'node-test': { task_types: ['TEST'], command: node, args: ['--test', '--test-reporter=tap'], env: path },
    'release-smoke': {
      task_types: ['TEST'],
      command: node,
      args: ['--test-reporter=tap', 'smoke/release.smoke.mjs', '{release}', '{expect}'],
      placeholders: { release: '/.{1,4095}', expect: '[A-Za-z0-9._ -]{1,128}' },
      env: path,
    },
  });
}

export interface ProgramCall {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Fills the arguments of an allow-listed program. Throws an `AttemptError` with the code `refused`. */
export function callOf(
  programs: ProgramCatalogue,
  { program: name, values }: Pick<AttemptSpec, 'program' | 'values'>,
): ProgramCall {
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (program === undefined) throw new AttemptError('refused', 'The program is not on the allow-list');
  const used = new Set<string>();
  const args = program.args.map((template) =>
    template.replace(PLACEHOLDER, (_, key: string) => {
      used.add(key);
      const value = Object.hasOwn(values, key) ? values[key] : undefined;
      const pattern = Object.hasOwn(program.placeholders, key) ? program.placeholders[key] : undefined;
      const fits =
        value !== undefined &&
        pattern !== undefined &&
        value.length <= MAX_VALUE_CHARACTERS &&
        new RegExp(`^(?:${pattern})$`, 'u').test(value);
      if (!fits) throw new AttemptError('refused', `The program "${name}" does not take this value for {${key}}`);
      return value;
    }),
  );
  const unused = Object.keys(values).find((key) => !used.has(key));
  if (unused !== undefined) throw new AttemptError('refused', `The program "${name}" takes no value "${unused}"`);
  return { command: program.command, args, env: program.env };
}
