import { dirname, isAbsolute, join, normalize } from 'node:path';
import { z } from 'zod';
import { AttemptError } from './attempt-error.ts';
import type { AttemptSpec } from './attempt-runner.ts';

const PLACEHOLDER = /\{([a-z][a-z0-9_]*)\}/g;
const MAX_VALUE_CHARACTERS = 4_096;
/** Of what a program reads from standard input: as long as one parameter of a ticket. */
export const MAX_INPUT_CHARACTERS = 65_536;

/** The types whose work is done by programs. */
export const PROGRAM_TYPES = ['BUILD', 'TEST', 'EXECUTE', 'TRANSFORM'] as const;
export type ProgramType = (typeof PROGRAM_TYPES)[number];

const programName = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const absolutePath = z.string().refine(isAbsolute, 'must be an absolute path');
const folderInside = z
  .string()
  .min(1)
  .refine((path) => !isAbsolute(path) && !normalize(path).startsWith('..'), 'must lie inside the workspace');

const MIB = 1024 * 1024;

/** What an attempt may use. The kernel holds each process to it, save `output_bytes`, which counts over the attempt. */
export const programLimits = z.strictObject({
  /** Of computing, not of waiting. Default 1 h. */
  cpu_seconds: z.int().min(1).max(86_400).default(3_600),
  /** That a process can write to: heap and private mappings. Default 4 GiB. */
  memory_bytes: z
    .int()
    .min(16 * MIB)
    .default(4_096 * MIB),
  /** Of one file. Default 1 GiB. */
  file_bytes: z
    .int()
    .min(512)
    .default(1_024 * MIB),
  open_files: z.int().min(16).max(65_536).default(1_024),
  /** Threads count too. Only where the attempt has a uid of its own, since the kernel counts by uid. */
  processes: z.int().min(1).max(65_536).default(1_024),
  /** Of what the program says, both streams together; more ends it. Default 64 MiB. */
  output_bytes: z
    .int()
    .min(1_024)
    .default(64 * MIB),
});
export type ProgramLimits = z.output<typeof programLimits>;

/** Where TEST finds what the program found out: TAP on standard output, or a JUnit file in the workspace. */
const testReport = z.discriminatedUnion('format', [
  z.strictObject({ format: z.literal('tap') }),
  z.strictObject({ format: z.literal('junit'), file: folderInside }),
]);
export type TestReportPlace = z.output<typeof testReport>;

/** What is run, as far as tickets have a say in it. */
export const programArguments = {
  /** `{name}` stands for a value that the executor supplies. A value never becomes more than one argument. */
  args: z.array(z.string()).default([]),
  /** Which text each placeholder may stand for: an anchored regular expression. */
  placeholders: z.record(z.string(), z.string()).default({}),
  env: z.record(z.string(), z.string()).default({}),
};

/** One program that tickets may name. They choose it by name; what is run is written here and nowhere else. */
export const allowedProgram = z.strictObject({
  task_types: z.array(z.enum(PROGRAM_TYPES)).min(1),
  command: absolutePath,
  ...programArguments,
  args: z.array(z.string()),
  /** BUILD: the folder that is the product. TEST: where the product that is tested is laid. */
  product: folderInside.default('dist'),
  /** TEST. */
  report: testReport.default({ format: 'tap' }),
  /** EXECUTE: the program that undoes this one, with the same values. */
  undo: programName.optional(),
  /**
   * Which entries of `worker/execution/<task type>` the program gets, as one JSON object to read from file descriptor 3
   * (`HIVE_CREDENTIALS_FD`). They are in no argument, no variable and no file.
   */
  credentials: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/)).default([]),
  limits: programLimits.prefault({}),
});
export type AllowedProgram = z.output<typeof allowedProgram>;

/** The allow-list: names to programs. */
export const programCatalogue = z.record(programName, allowedProgram).superRefine((programs, context) => {
  for (const [name, { undo }] of Object.entries(programs)) {
    if (undo === undefined || programs[undo]?.task_types.includes('EXECUTE')) continue;
    context.addIssue({ code: 'custom', path: [name, 'undo'], message: 'must name a program for EXECUTE' });
  }
});
export type ProgramCatalogue = z.output<typeof programCatalogue>;

export interface ToolChain {
  /** The Node binary. Default: the one that runs this. */
  readonly node?: string;
  /** The folder of the `typescript` package. */
  readonly typescript: string;
}

/** Says the member that a JSON pointer (RFC 6901) leads to; a text as it is, anything else as JSON. */
const JSON_GET = `
import { text } from 'node:stream/consumers';
const [pointer] = process.argv.slice(1);
let value = JSON.parse(await text(process.stdin));
for (const key of pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))) {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) {
    console.error('there is nothing at ' + pointer);
    process.exit(1);
  }
  value = value[key];
}
process.stdout.write(typeof value === 'string' ? value : JSON.stringify(value));
`;

/**
 * The programs of the platform: the TypeScript compiler, Node's test runner, the check of a deployed release, and one that
 * takes a member out of JSON.
 */
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
    'json-get': {
      task_types: ['TRANSFORM'],
      command: node,
      args: ['--input-type=module', '--eval', JSON_GET, '{pointer}'],
      placeholders: { pointer: '(/[^/]{1,256}){1,32}' },
    },
  });
}

export interface ProgramCall {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: ProgramLimits;
}

/** Fills the arguments of an allow-listed program. Throws an `AttemptError` with the code `refused`. */
export function callOf(
  programs: ProgramCatalogue,
  { program: name, values, credentials = {} }: Pick<AttemptSpec, 'program' | 'values' | 'credentials'>,
): ProgramCall {
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
  if (program === undefined) throw new AttemptError('refused', 'The program is not on the allow-list');
  const args = filledArguments(name, program, values);
  const known = Object.keys(credentials).every((key) => program.credentials.includes(key));
  if (!known || Object.keys(credentials).length !== program.credentials.length) {
    throw new AttemptError(
      'refused',
      `The program "${name}" takes the credentials [${program.credentials.join(', ')}]`,
    );
  }
  return { command: program.command, args, env: program.env, limits: program.limits };
}

/** The arguments with their values in them. Throws an `AttemptError` with the code `refused`. */
export function filledArguments(
  name: string,
  { args: templates, placeholders }: Pick<AllowedProgram, 'args' | 'placeholders'>,
  values: Readonly<Record<string, string>>,
): string[] {
  const used = new Set<string>();
  const args = templates.map((template) =>
    template.replace(PLACEHOLDER, (_, key: string) => {
      used.add(key);
      const value = Object.hasOwn(values, key) ? values[key] : undefined;
      const pattern = Object.hasOwn(placeholders, key) ? placeholders[key] : undefined;
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
  return args;
}
