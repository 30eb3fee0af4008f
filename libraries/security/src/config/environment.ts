import { z } from 'zod';
import { NeuralHiveError } from '../common/index.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment does not describe a service that can start. `problems` holds one line for each variable at fault. */
export class ConfigError extends NeuralHiveError<'config_invalid'> {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super('config_invalid', `The configuration has ${problems.length} problem(s): ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/**
 * Reads the variables named by an object schema. An empty variable counts as unset. Throws a `ConfigError` that lists
 * every problem at once; values never appear in it.
 */
export function readConfig<Schema extends z.ZodType>(schema: Schema, env: Environment = process.env): z.output<Schema> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = schema.safeParse(present);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map(({ path, message, code }) => {
      const name = path.join('.') || 'environment';
      const unset = code === 'invalid_type' && !(String(path[0]) in present);
      return `${name}: ${unset ? 'is required and not set' : message}`;
    }),
  );
}

type Values<Parts> = { readonly [Name in keyof Parts]: Parts[Name] extends () => infer Value ? Value : never };

/**
 * Reads the parts of one configuration. A variable that several of them read is at fault once.
 * @throws ConfigError with every problem of all parts
 */
export function readParts<Parts extends Readonly<Record<string, () => unknown>>>(parts: Parts): Values<Parts> {
  const problems = new Set<string>();
  const values: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(parts)) {
    try {
      values[name] = read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.problems) problems.add(problem);
    }
  }
  if (problems.size > 0) throw new ConfigError([...problems]);
  return values as Values<Parts>;
}

/** The environment in which what is unset, or empty, has a default. */
export function withDefaults(env: Environment, defaults: Environment): Environment {
  const given = Object.entries(env).filter(([, value]) => value !== undefined && value !== '');
  return { ...defaults, ...Object.fromEntries(given) };
}

/** Fields of environment variables, which are all text. */
export const field = {
  text: () => z.string().min(1),
  /** `true` or `false`, nothing else: a typing mistake must not switch a check off. */
  flag: () => z.enum(['true', 'false']).transform((value) => value === 'true'),
  /** 0 lets the system choose. */
  port: () => wholeNumber(0, 65_535),
  /** Seconds as a decimal number. */
  seconds: ({ min = 0.001, max = 86_400 }: { min?: number; max?: number } = {}) =>
    z
      .string()
      .regex(/^\d{1,9}(\.\d{1,3})?$/, 'must be a number of seconds')
      .transform(Number)
      .pipe(z.number().min(min).max(max)),
  count: ({ min = 0, max = 1_000_000 }: { min?: number; max?: number } = {}) => wholeNumber(min, max),
  logLevel: () => z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
};

function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,12}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}
