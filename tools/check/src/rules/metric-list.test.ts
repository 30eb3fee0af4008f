import { expect, test } from 'vitest';
import { inMemory } from '../repository.ts';
import { metricList, metricsOf } from './metric-list.ts';

const FILE = 'services/a/src/metrics.ts';
const code = (body: string): string => `import { Counter } from 'prom-client';\n${body}`;
const list = (...rows: string[]): string =>
  `| metric | type | labels | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
const problems = (body: string, text: string): string[] =>
  metricList.check(inMemory({ [FILE]: code(body), 'observability/metrics.md': text })).map(({ message }) => message);

const ROW = '| `calls_total` | counter | `method`, `status` | Calls |';
const MADE = `new Counter({ name: 'calls_total', help: 'Calls (all)', labelNames: ['method', 'status'], registers });`;

test('a metric is seen whether it is made directly or by a function named after its type', () => {
  expect(metricsOf(FILE, MADE)).toMatchObject([{ name: 'calls_total', type: 'counter', labels: ['method', 'status'] }]);
  const byFunction = `const made = counter('calls_total', 'Calls', [\n  'method',\n  'status',\n]); histogram('took_seconds', 'Time', [1, 2]);`;
  expect(metricsOf(FILE, byFunction)).toMatchObject([
    { name: 'calls_total', labels: ['method', 'status'] },
    { name: 'took_seconds', type: 'histogram', labels: [] },
  ]);
  expect(metricsOf(FILE, `const counter = (name: string) => new Counter({ name, help, registers });`)).toEqual([]);
});

test('code and list that agree pass', () => {
  expect(problems(MADE, list(ROW))).toEqual([]);
});

test('a metric that is not listed, and one that nobody registers, are named', () => {
  expect(problems(MADE, list())).toEqual(['registers calls_total, not in observability/metrics.md']);
  expect(problems('', list(ROW))).toEqual(['lists calls_total, which no code registers']);
});

test('another type or other labels than listed are named', () => {
  expect(problems(MADE, list(ROW.replace('`method`, ', '')))).toEqual([
    'registers calls_total as counter {method, status}, observability/metrics.md says counter {status}',
  ]);
  expect(problems(MADE, list(ROW.replace('counter', 'gauge')))).toHaveLength(1);
});

test('what the library makes without naming the system that counts is seen too, and other code is not', () => {
  const made = "instruments.gauge('left_seconds', 'Left (all)', ['kind'], () => [...lives()]);";
  const of = (source: string) =>
    metricList.check(inMemory({ [FILE]: `import type { Instruments } from '${source}';\n${made}` }));
  expect(of('./instruments.ts')).toMatchObject([{ message: expect.stringContaining('left_seconds') }]);
  expect(of('./anything.ts')).toEqual([]);
});

test('tests may register what they like', () => {
  const texts = { [FILE.replace('.ts', '.test.ts')]: code(MADE), 'observability/metrics.md': list() };
  expect(metricList.check(inMemory(texts))).toEqual([]);
});
