import { isCode, type Problem, type Repository, type Rule } from '../repository.ts';

const LIST = 'observability/metrics.md';

/** A metric as the code registers it or the list describes it. */
export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly file: string;
}

/** A metric made directly, or by a function named after its type. */
const MAKER = /\b(?:new\s+)?(counter|gauge|histogram|summary)(?:<[^()]*>)?\(/gi;
/** Of the files that make metrics: with prom-client, or with whatever the library is given in its place. */
const REGISTERS = /from '(?:prom-client|[^']*\/instruments\.ts)'/;
const TEXTS = /^\s*(?:'[^']*'\s*,?\s*)*$/;

const textsIn = (list: string): string[] => [...list.matchAll(/'([^']*)'/g)].map(([, text = '']) => text);

/** What stands between the parenthesis that opens at `open` and the one that closes it. */
function argumentsAt(code: string, open: number): string {
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code[at] === '(') depth += 1;
    if (code[at] === ')') depth -= 1;
    if (depth === 0) return code.slice(open + 1, at);
  }
  return code.slice(open + 1);
}

/** The metrics whose name stands in the code as a text. */
export function metricsOf(file: string, code: string): Metric[] {
  return [...code.matchAll(MAKER)].flatMap((found) => {
    const given = argumentsAt(code, found.index + found[0].length - 1);
    const name = (/^\s*'([a-z_][a-z0-9_]*)'/.exec(given) ?? /\bname:\s*'([^']*)'/.exec(given))?.[1];
    if (name === undefined) return [];
    const named = /\blabelNames:\s*\[([^\]]*)\]/.exec(given)?.[1];
    const positional = [...given.matchAll(/\[([^\]]*)\]/g)]
      .map(([, list = '']) => list)
      .find((list) => TEXTS.test(list));
    return [{ name, type: (found[1] ?? '').toLowerCase(), labels: textsIn(named ?? positional ?? ''), file }];
  });
}

/** The rows of the list's tables. */
export function listedMetrics(text: string): Metric[] {
  return [...text.matchAll(/^\|\s*`([a-z0-9_]+)`\s*\|\s*(\w+)\s*\|([^|]*)\|/gm)].map(
    ([, name = '', type = '', labels = '']) => ({
      ...{ name, type, file: LIST },
      labels: [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label = '']) => label),
    }),
  );
}

const shapeOf = ({ type, labels }: Metric): string => `${type} {${[...labels].sort().join(', ')}}`;

function check(repository: Repository): Problem[] {
  const sources = repository.files.filter(
    (file) => isCode(file) && /(^|\/)src\//.test(file) && !/\.test\.ts$|\/testing\//.test(file),
  );
  const registered = sources
    .map((file) => ({ file, code: repository.read(file) }))
    .filter(({ code }) => REGISTERS.test(code))
    .flatMap(({ file, code }) => metricsOf(file, code));
  const listed = repository.files.includes(LIST) ? listedMetrics(repository.read(LIST)) : [];
  const problems: Problem[] = [];
  for (const metric of registered) {
    const row = listed.find(({ name }) => name === metric.name);
    if (row === undefined) problems.push({ file: metric.file, message: `registers ${metric.name}, not in ${LIST}` });
    else if (shapeOf(row) !== shapeOf(metric)) {
      const message = `registers ${metric.name} as ${shapeOf(metric)}, ${LIST} says ${shapeOf(row)}`;
      problems.push({ file: metric.file, message });
    }
  }
  for (const { name } of listed) {
    if (registered.some((metric) => metric.name === name)) continue;
    problems.push({ file: LIST, message: `lists ${name}, which no code registers` });
  }
  return problems;
}

export const metricList: Rule = { name: 'every metric in the list, and the reverse', check };
