import { styleText } from 'node:util';

/**
 * Where the command's words go. People read plain lines on stdout; with `--json` stdout carries JSON only and the
 * lines go to stderr. On a terminal the step under way is shown with its running time.
 */
export interface Output {
  /** One line for people. */
  line(text: string): void;
  /** A line that stays, below the steps: a heading. */
  heading(text: string): void;
  /** Shows `text` while `work` runs, and how long it took. */
  step<T>(text: string, work: () => Promise<T>): Promise<T>;
  /** The command's result: printed as one line of JSON with `--json`, and not at all without. */
  result(value: unknown): void;
  readonly json: boolean;
}

const TICK_MS = 100;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

export function createOutput(options: { json: boolean }): Output {
  const stream = options.json ? process.stderr : process.stdout;
  const terminal = stream.isTTY === true;
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    terminal ? styleText(format, text) : text;

  /** The text shown on the last line of a terminal, which the next write replaces. */
  let live = '';
  const clear = (): void => {
    if (live !== '') stream.write('\r\u001b[2K');
  };
  const write = (text: string): void => {
    clear();
    stream.write(`${text}\n`);
    if (live !== '') stream.write(live);
  };

  return {
    json: options.json,
    line: (text) => write(text),
    heading: (text) => write(`\n${style('bold', text)}`),
    async step(text, work) {
      const startedMs = performance.now();
      let frame = 0;
      const ticker = terminal
        ? setInterval(() => {
            clear();
            live = `${style('cyan', FRAMES[frame++ % FRAMES.length] ?? '')} ${text} ${style('dim', seconds(startedMs))}`;
            stream.write(live);
          }, TICK_MS)
        : undefined;
      const stop = (): void => {
        clearInterval(ticker);
        clear();
        live = '';
      };
      try {
        const value = await work();
        stop();
        write(`${style('green', '✓')} ${text} ${style('dim', `(${seconds(startedMs)})`)}`);
        return value;
      } catch (error) {
        stop();
        write(`${style('red', '✗')} ${text} ${style('dim', `(${seconds(startedMs)})`)}`);
        throw error;
      }
    },
    result(value) {
      if (options.json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
  };
}
