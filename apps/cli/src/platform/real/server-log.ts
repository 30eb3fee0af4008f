import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Home } from '../home.ts';

/** Receives what a server writes, line by line, and appends it to a file of its own below `logs/`. */
export function serverLog({ logs }: Home, name: string): (line: string) => void {
  const stream = createWriteStream(join(logs, `${name}.log`), { flags: 'a', mode: 0o600 });
  // A full disk must not end the supervisor, which is what shuts everything down.
  stream.on('error', () => undefined);
  return (line) => void (stream.writable && stream.write(`${line}\n`));
}
