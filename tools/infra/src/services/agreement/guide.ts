/** A command of a guide in which a chart is installed or upgraded, as helm's arguments. */
export interface HelmCommand {
  readonly release: string;
  readonly chart: string;
  readonly args: readonly string[];
}

const FENCE = /^```(\w+)\n([\s\S]*?)^```$/gm;

/** The blocks of one language, without their fences. */
export function blocksOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(FENCE)].filter(([, found]) => found === language).map(([, , body = '']) => body);
}

/** Files of values that the text shows: blocks of YAML whose first line is `# name.yaml: …`. */
export function valueFiles(text: string): ReadonlyMap<string, string> {
  return new Map(
    blocksOf(text, 'yaml').flatMap((body) => {
      const name = /^# ([\w-]+\.yaml)/.exec(body)?.[1];
      return name === undefined ? [] : [[name, body] as const];
    }),
  );
}

/** What stands in a text for the answer of a command or a variable. */
function placeholder(expression: string): string {
  const name =
    expression
      .replaceAll(/[^a-z_]/gi, ' ')
      .trim()
      .split(/\s+/)
      .at(-1) ?? '';
  if (/role/i.test(name)) return `arn:aws:iam::111122223333:role/${name.replaceAll('_', '-').toLowerCase()}`;
  return name.replaceAll('_', '-').toLowerCase();
}

/** The words of a shell's line; `$NAME` and `$(…)` are what `placeholder` makes of them. */
function wordsOf(line: string): readonly string[] {
  const plain = line.replaceAll(/\$\([^)]*\)|\$\w+/g, placeholder);
  return [...plain.matchAll(/(?:"([^"]*)"|'([^']*)'|[^\s"'])+/g)].map(([word]) => word.replaceAll(/["']/g, ''));
}

/** Every `helm install` and `helm upgrade` of a chart of this repository. */
export function helmCommands(text: string): readonly HelmCommand[] {
  const lines = blocksOf(text, 'sh').flatMap((body) => body.replaceAll(/\\\n\s*/g, '').split('\n'));
  return lines
    .map(wordsOf)
    .filter(([program, action]) => program === 'helm' && (action === 'install' || action === 'upgrade'))
    .map(([, , release = '', chart = '', ...args]) => ({ release, chart, args }));
}
