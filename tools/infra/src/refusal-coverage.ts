import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './check.ts';

const MESSAGE = /append \$problems \(?(?:printf )?"((?:[^"\\]|\\.)*)"/g;
const PLACEHOLDER = /%[a-z]/;

/** What the templates of a folder can say against values: texts, with placeholders as `printf` has them. */
export function refusalMessages(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(tpl|yaml)$/.test(file));
  return files.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(MESSAGE)].map(([, text = '']) => text.replaceAll('\\"', '"')),
  );
}

/** Whether one of the answers has the message in it, whatever stands for its placeholders. */
export function isSaid(message: string, answers: readonly string[]): boolean {
  const parts = message.split(PLACEHOLDER).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(parts.join('.*'));
  return answers.some((answer) => pattern.test(answer));
}

/** Every message of the charts' templates was heard when the refusals were tried: none is left without a test. */
export function judgeCoverage(folders: readonly string[], answers: readonly string[], report: Report): void {
  for (const message of folders.flatMap(refusalMessages)) {
    if (isSaid(message, answers)) report.passed(`tried: ${message}`);
    else report.failed(`tried: ${message}`, 'no refusal of the table makes the chart say it');
  }
}
