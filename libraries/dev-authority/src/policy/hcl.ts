/** As much of HCL as policies use: `path "p" { key = value }` with strings, numbers, flags, lists and objects. */
export type HclValue = string | number | boolean | readonly HclValue[] | { readonly [key: string]: HclValue };

export interface HclBlock {
  readonly type: string;
  readonly label: string;
  readonly attributes: ReadonlyMap<string, HclValue>;
}

type Token = { readonly kind: 'text' | 'name' | 'number' | 'sign'; readonly text: string };

const TOKEN =
  /(?:\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)|("(?:[^"\\\n]|\\.)*")|(<<-?([A-Za-z_]\w*)\n([\s\S]*?)\n\s*\3(?=\n|$))|([A-Za-z_][\w-]*)|(-?\d+(?:\.\d+)?)|([{}[\]=,:])/gy;

const MAX_DEPTH = 16;

/** Throws a `SyntaxError` that names the rule. */
export function parseHcl(text: string): HclBlock[] {
  const reader = new Reader(tokensOf(text));
  const blocks: HclBlock[] = [];
  while (!reader.atEnd()) blocks.push(readBlock(reader));
  return blocks;
}

class Reader {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  atEnd(): boolean {
    return this.#position >= this.#tokens.length;
  }

  peek(sign: string): boolean {
    const token = this.#tokens[this.#position];
    return token?.kind === 'sign' && token.text === sign;
  }

  skip(sign: string): boolean {
    if (!this.peek(sign)) return false;
    this.#position += 1;
    return true;
  }

  next(): Token {
    const token = this.#tokens[this.#position];
    if (token === undefined) throw new SyntaxError('unexpected end of the policy');
    this.#position += 1;
    return token;
  }

  expect(sign: string): void {
    if (!this.skip(sign)) throw new SyntaxError(`expected "${sign}" and found "${this.next().text.slice(0, 40)}"`);
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) throw new SyntaxError('illegal character in the policy');
    const [, quoted, heredoc, , document, name, number, sign] = match;
    if (quoted !== undefined) tokens.push({ kind: 'text', text: unquote(quoted) });
    else if (heredoc !== undefined) tokens.push({ kind: 'text', text: document ?? '' });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
  }
  return tokens;
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new SyntaxError('illegal escape in a text of the policy');
  }
}

function readBlock(reader: Reader): HclBlock {
  const type = reader.next();
  if (type.kind === 'sign' || type.kind === 'number') throw new SyntaxError(`unexpected "${type.text}"`);
  // `name = "x"` at the top is legal in old policies.
  if (reader.skip('=')) return { type: type.text, label: '', attributes: new Map([['value', readValue(reader, 0)]]) };
  const label = reader.next();
  if (label.kind !== 'text') throw new SyntaxError(`"${type.text}" needs a quoted path`);
  reader.skip('=');
  reader.expect('{');
  return { type: type.text, label: label.text, attributes: readAttributes(reader, 0) };
}

function readAttributes(reader: Reader, depth: number): Map<string, HclValue> {
  if (depth > MAX_DEPTH) throw new SyntaxError('the policy is nested too deeply');
  const attributes = new Map<string, HclValue>();
  while (!reader.skip('}')) {
    const key = reader.next();
    if (key.kind !== 'name' && key.kind !== 'text') throw new SyntaxError(`expected a name and found "${key.text}"`);
    if (attributes.has(key.text)) throw new SyntaxError(`"${key.text}" is given twice`);
    if (!reader.skip('=')) reader.skip(':');
    attributes.set(key.text, readValue(reader, depth + 1));
    reader.skip(',');
  }
  return attributes;
}

function readValue(reader: Reader, depth: number): HclValue {
  if (depth > MAX_DEPTH) throw new SyntaxError('the policy is nested too deeply');
  if (reader.skip('{')) return Object.fromEntries(readAttributes(reader, depth + 1));
  if (reader.skip('[')) {
    const values: HclValue[] = [];
    while (!reader.skip(']')) {
      values.push(readValue(reader, depth + 1));
      if (!reader.peek(']')) reader.expect(',');
    }
    return values;
  }
  const token = reader.next();
  if (token.kind === 'text') return token.text;
  if (token.kind === 'number') return Number(token.text);
  if (token.kind === 'name' && (token.text === 'true' || token.text === 'false')) return token.text === 'true';
  throw new SyntaxError(`expected a value and found "${token.text}"`);
}
