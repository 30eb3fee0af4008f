import { EventEmitter } from 'node:events';
import { type ClientReadableStream, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { SpiffeError } from '../spiffe-error.ts';
import { watchStream } from './watch.ts';

/** A stream that the test plays. */
class PlayedStream extends EventEmitter {
  cancel(): void {
    this.fail(status.CANCELLED);
  }

  say(message: string): void {
    this.emit('data', message);
  }

  fail(code: status): void {
    this.emit('error', Object.assign(new Error(status[code]), { code, details: status[code] }));
  }
}

function watch(parse: (message: string) => string = (message) => message) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const streams: PlayedStream[] = [];
  const values: string[] = [];
  const errors: SpiffeError[] = [];
  const ended = watchStream<string, string>({
    call: 'Test',
    open() {
      const stream = new PlayedStream();
      streams.push(stream);
      return stream as unknown as ClientReadableStream<string>;
    },
    parse,
    update: (value) => values.push(value),
    error: (error) => errors.push(error),
    clock,
    // The longest delay that jitter can give.
    random: () => 1,
    signal: stop.signal,
  });
  ended.catch(() => undefined);
  return { clock, stop, streams, values, errors, ended, last: () => streams.at(-1) as PlayedStream };
}

test('W-02: a stream that was healthy is opened again at once', async () => {
  const { clock, streams, last, values } = watch();
  last().say('a');
  await clock.advance(60_000);
  last().fail(status.UNAVAILABLE);
  await clock.advance(0);
  expect(streams).toHaveLength(2);
  last().say('b');
  expect(values).toEqual(['a', 'b']);
});

test('W-02: an agent that ends each stream after its first message is not asked in a hot loop', async () => {
  const { clock, streams, last } = watch();
  for (let round = 0; round < 5; round += 1) {
    last().say('a');
    last().emit('end');
    await clock.advance(0);
  }
  expect(streams).toHaveLength(2);
});

test('E-09, W-21: failures wait longer each time, and never longer than 5 s', async () => {
  const { clock, streams, last } = watch();
  const delays: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    const opened = streams.length;
    last().fail(status.UNAVAILABLE);
    const startMs = clock.now();
    while (streams.length === opened) await clock.advance(100);
    delays.push(clock.now() - startMs);
  }
  expect(delays).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
});

test.each([
  ['E-09: an agent that is unavailable is tried again with backoff', status.UNAVAILABLE],
  ['E-10: a denial is tried again with backoff', status.PERMISSION_DENIED],
  ['E-09: a cancellation that is not ours is tried again with backoff', status.CANCELLED],
  ['E-09: an internal error is tried again with backoff', status.INTERNAL],
  ['E-09: an unknown error is tried again with backoff', status.UNKNOWN],
])('%s', async (_name, code) => {
  const { clock, streams, last, errors } = watch();
  last().fail(code);
  await clock.advance(100);
  expect(streams).toHaveLength(1);
  await clock.advance(100);
  expect(streams).toHaveLength(2);
  expect(errors).toMatchObject([{ retryable: true }]);
});

test.each([
  ['E-08, W-21: InvalidArgument is reported and final', status.INVALID_ARGUMENT],
  ['E-11, W-21: Unimplemented is reported and final', status.UNIMPLEMENTED],
])('%s', async (_name, code) => {
  const { clock, streams, last, ended, errors } = watch();
  last().fail(code);
  await expect(ended).rejects.toMatchObject({ retryable: false });
  await clock.advance(60_000);
  expect(streams).toHaveLength(1);
  expect(errors).toHaveLength(1);
});

test('W-06: a message that cannot be read is reported and the stream goes on', async () => {
  const { last, values, errors, streams } = watch((message) => {
    if (message === 'bad') throw new TypeError('unreadable');
    return message;
  });
  for (const message of ['a', 'bad', 'b']) last().say(message);
  expect(values).toEqual(['a', 'b']);
  expect(errors).toHaveLength(1);
  expect(streams).toHaveLength(1);
});

test('it ends quietly when it is aborted, in a stream and between two', async () => {
  const open = watch();
  open.stop.abort();
  await open.ended;
  const waiting = watch();
  waiting.last().fail(status.UNAVAILABLE);
  await waiting.clock.advance(50);
  waiting.stop.abort();
  await waiting.ended;
  expect(waiting.streams).toHaveLength(1);
});
