/** A configuration in HCL as far as the chart writes it: blocks with labels, and attributes with plain values. */
export interface HclBody {
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly blocks: readonly HclBlock[];
}

export interface HclBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: HclBody;
}

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|[A-Za-z_][\w-]*|-?\d+(?:\.\d+)?|[={}])/y;

/** @throws SyntaxError with the text that is not understood */
export function parseHcl(text: string): HclBody {
  return parseBody(tokensOf(text), false);
}

class Tokens {
  readonly #tokens: readonly string[];
  #position = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get ended(): boolean {
    return this.#position >= this.#tokens.length;
  }

  peek(): string | undefined {
    return this.#tokens[this.#position];
  }

  next(): string {
    const token = this.#tokens[this.#position];
    if (token === undefined) throw new SyntaxError('HCL ends in the middle of a block');
    this.#position += 1;
    return token;
  }
}

function tokensOf(text: string): Tokens {
  const plain = text.replace(/^\s*#.*$/gm, '');
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (plain.slice(TOKEN.lastIndex).trim() !== '') {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(plain);
    if (match?.[1] === undefined) throw new SyntaxError(`HCL: not understood: ${plain.slice(from, from + 40).trim()}`);
    tokens.push(match[1]);
  }
  return new Tokens(tokens);
}

function parseBody(tokens: Tokens, inBlock: boolean): HclBody {
  const attributes: Record<string, string | number | boolean> = {};
  const blocks: HclBlock[] = [];
  for (;;) {
    if (tokens.ended && !inBlock) return { attributes, blocks };
    const name = tokens.next();
    if (name === '}' && inBlock) return { attributes, blocks };
    if (!/^[A-Za-z_]/.test(name)) throw new SyntaxError(`HCL: a name was expected, found ${name}`);
    if (tokens.peek() === '=') {
      tokens.next();
      if (Object.hasOwn(attributes, name)) throw new SyntaxError(`HCL: ${name} is set twice`);
      attributes[name] = plainValue(tokens.next());
    } else {
      const labels: string[] = [];
      while (tokens.peek() !== '{') labels.push(String(plainValue(tokens.next())));
      tokens.next();
      blocks.push({ type: name, labels, body: parseBody(tokens, true) });
    }
  }
}

function plainValue(token: string): string | number | boolean {
  if (token.startsWith('"')) return JSON.parse(token) as string;
  if (token === 'true' || token === 'false') return token === 'true';
  if (/^-?\d/.test(token)) return Number(token);
  throw new SyntaxError(`HCL: ${token} is no value`);
}

/** The blocks of one type, with the label when one is given. */
export function blocksOf(body: HclBody, type: string, label?: string): readonly HclBlock[] {
  return body.blocks.filter((block) => block.type === type && (label === undefined || block.labels[0] === label));
}
