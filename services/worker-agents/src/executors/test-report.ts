export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The counts that Node's TAP and spec reporters end with. Undefined when the text has none. */
export function readTestCounts(text: string): TestCounts | undefined {
  const counts = new Map<string, number>();
  for (const [, name = '', value] of text.matchAll(/^(?:#|ℹ) (tests|pass|fail|cancelled|skipped|todo) (\d+)\s*$/gm)) {
    counts.set(name, Number(value));
  }
  if (!counts.has('tests') || !counts.has('pass') || !counts.has('fail')) return undefined;
  const of = (name: string): number => counts.get(name) ?? 0;
  return { passed: of('pass'), failed: of('fail') + of('cancelled'), skipped: of('skipped') + of('todo') };
}
