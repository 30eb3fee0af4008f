import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Declaration, type ModuleOutline, outlineOf } from './module-outline.ts';

/** Below infrastructure/terraform; each has a README with the tables of what it declares. */
export const MODULES = ['.', 'modules/vault-ha', 'modules/k8s-cluster', 'examples/complete'] as const;

const BEGIN =
  '<!-- Written by `node tools/infra/dist/terraform/write-docs.js`; what stands between these lines is overwritten. -->';
const END = '<!-- End of what is written. -->';

export function moduleOutline(folder: string): ModuleOutline {
  const files = readdirSync(folder).filter((file) => file.endsWith('.tf'));
  return outlineOf(files.sort().map((file) => readFileSync(join(folder, file), 'utf8')));
}

/** The README with its tables as the module is now. @throws RangeError where it has no place for them */
export function withTables(readme: string, outline: ModuleOutline): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new RangeError(`The README needs the lines\n${BEGIN}\n${END}`);
  return `${readme.slice(0, from)}${BEGIN}\n\n${tablesOf(outline)}\n${readme.slice(to)}`;
}

export function writeTables(terraform: string): void {
  for (const module of MODULES) {
    const file = join(terraform, module, 'README.md');
    writeFileSync(file, withTables(readFileSync(file, 'utf8'), moduleOutline(join(terraform, module))));
  }
}

function tablesOf({ variables, outputs, resources }: ModuleOutline): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const row = ({ name, description, type = '', ...rest }: Declaration): string =>
    `| \`${name}\` | \`${cell(type)}\` | ${rest.default === undefined ? 'required' : `\`${rest.default}\``} | ${cell(description)} |`;
  const parts: string[] = [];
  if (variables.length > 0) {
    parts.push(['| variable | type | default | meaning |', '|---|---|---|---|', ...variables.map(row)].join('\n'));
  }
  if (outputs.length > 0) {
    const lines = outputs.map(({ name, description }) => `| \`${name}\` | ${cell(description)} |`);
    parts.push(['| output | meaning |', '|---|---|', ...lines].join('\n'));
  }
  if (resources.length > 0) parts.push(`Makes and reads: ${resources.map((type) => `\`${type}\``).join(', ')}.`);
  return `${parts.join('\n\n')}\n`;
}
