/** As Node prints them: `(node:123) [DEP0040] DeprecationWarning: …`. */
const WARNING = /\(node:\d+\) ((?:\[[A-Z]+\d+\] )?\w*Warning: .*)/g;

/** The warnings of Node in the output of a run, each once. */
export function warningsIn(output: string): readonly string[] {
  return [...new Set([...output.matchAll(WARNING)].map((match) => match[1] ?? ''))];
}
