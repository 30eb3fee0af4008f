import type { z } from 'zod';

/** What a variable's schema says about itself, by `.meta(…)`. */
export interface Variable {
  readonly description: string;
  /** What its text looks like. */
  readonly form: string;
  /** Its value is never printed. */
  readonly secret?: boolean;
}

/** A Markdown table of the variables of a schema, from what each says about itself. */
export function variableTable(schema: z.ZodObject): string {
  const rows = Object.entries(schema.shape).map(([name, field]) => {
    const { description, form, secret } = field.meta() as unknown as Variable;
    const shown = [`\`${name}\``, form, defaultOf(field), secret === true ? `${description} Secret.` : description];
    return `| ${shown.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| variable | form | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function defaultOf(field: z.ZodType): string {
  const read = field.safeParse(undefined);
  if (!read.success) return 'required';
  return read.data === undefined ? '' : `\`${String(read.data)}\``;
}
