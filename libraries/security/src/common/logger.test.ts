import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Logger } from './logger.ts';

test('a pino logger is a logger as it is', () => {
  const lines: string[] = [];
  const logger: Logger = pino({ level: 'debug' }, { write: (line) => void lines.push(line) });
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]({ code: 'a' }, `said at ${level}`);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 20, code: 'a', msg: 'said at debug' },
    { level: 30, code: 'a', msg: 'said at info' },
    { level: 40, code: 'a', msg: 'said at warn' },
    { level: 50, code: 'a', msg: 'said at error' },
  ]);
});
