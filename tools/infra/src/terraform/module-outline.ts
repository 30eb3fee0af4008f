/** A variable, an output or a module as its file declares it. */
export interface Declaration {
  readonly name: string;
  readonly description: string;
  /** Of a variable. */
  readonly type?: string;
  /** As it is written; undefined where one must be given. */
  readonly default?: string;
}

/** What a module is seen as from outside, and what it makes. */
export interface ModuleOutline {
  readonly variables: readonly Declaration[];
  readonly outputs: readonly Declaration[];
  /** Types of its resources and data sources, sorted. */
  readonly resources: readonly string[];
}

/** Reads files that `terraform fmt` has formatted: a block's closing brace stands at the start of its line. */
export function outlineOf(files: readonly string[]): ModuleOutline {
  const text = files.join('\n');
  const types = [...text.matchAll(/^(resource|data) "(\w+)" "\w+" \{/gm)].map(([, kind = '', type = '']) =>
    kind === 'data' ? `data.${type}` : type,
  );
  return {
    variables: blocks(text, 'variable').map(declarationOf),
    outputs: blocks(text, 'output').map(declarationOf),
    resources: [...new Set(types)].sort(),
  };
}

interface Block {
  readonly name: string;
  readonly body: string;
}

function blocks(text: string, kind: string): Block[] {
  const pattern = new RegExp(`^${kind} "([\\w-]+)" \\{\\n([\\s\\S]*?)^\\}`, 'gm');
  return [...text.matchAll(pattern)].map(([, name = '', body = '']) => ({ name, body }));
}

function declarationOf({ name, body }: Block): Declaration {
  const argument = (key: string): string | undefined => new RegExp(`^ {2}${key}\\s+= (.+)$`, 'm').exec(body)?.[1];
  const type = argument('type');
  const given = argument('default');
  const description = argument('description');
  return {
    name,
    description: description === undefined ? '' : (JSON.parse(description) as string),
    ...(type === undefined ? {} : { type }),
    ...(given === undefined ? {} : { default: given }),
  };
}
