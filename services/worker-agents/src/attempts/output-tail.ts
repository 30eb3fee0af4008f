import { StringDecoder } from 'node:string_decoder';

export interface OutputLimits {
  /** The text kept of each stream, from its end. Default 262,144 characters. */
  readonly characters?: number;
  /** Default 200. */
  readonly lines?: number;
  /** Longer lines are cut. Default 4,096 characters. */
  readonly lineCharacters?: number;
}

/**
 * The end of what a program said. It takes any amount and keeps little: a program that floods its output costs no memory.
 */
export class OutputTail {
  readonly #limits: Required<OutputLimits>;
  readonly #text = { stdout: '', stderr: '' };
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  #dropped = false;
  #bytes = 0;

  constructor(limits: OutputLimits = {}) {
    this.#limits = { characters: 262_144, lines: 200, lineCharacters: 4_096, ...limits };
  }

  add(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#bytes += chunk.length;
    const text = this.#text[stream] + this.#decoders[stream].write(chunk);
    const excess = text.length - this.#limits.characters;
    if (excess > 0) this.#dropped = true;
    this.#text[stream] = excess > 0 ? text.slice(excess) : text;
  }

  text(stream: 'stdout' | 'stderr'): string {
    return this.#text[stream];
  }

  /** All that was said, also what was not kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether anything was left out of `text`. */
  get truncated(): boolean {
    return this.#dropped;
  }

  /** The last lines, standard error after standard output, without control characters. */
  lines(): string[] {
    const { lines, lineCharacters } = this.#limits;
    return [...linesOf(this.#text.stdout), ...linesOf(this.#text.stderr)]
      .slice(-lines)
      .map((line) => line.slice(0, lineCharacters));
  }
}

function linesOf(text: string): string[] {
  return stripControls(text)
    .split('\n')
    .filter((line) => line.trim() !== '');
}

/** Escape sequences and control characters could rewrite the terminal of whoever reads the log. */
function stripControls(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
  );
}
