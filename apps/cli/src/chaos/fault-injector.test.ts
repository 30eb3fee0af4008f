import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { FaultInjector } from './fault-injector.ts';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});

async function sleeper(): Promise<ChildProcess> {
  const child = spawn('/bin/sleep', ['600'], { stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child;
}

function injectorFor(victims: Readonly<Record<string, readonly number[]>>, stop = new AbortController()) {
  const lines: string[] = [];
  const injector = new FaultInjector({
    victims: { pidsOf: (target) => victims[target] ?? [] },
    onLine: (line) => lines.push(line),
    signal: stop.signal,
  });
  return { injector, lines };
}

/** The letter of the process's state: T when it is stopped. */
const stateOf = ({ pid }: ChildProcess): string => /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';

async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(5);
}

test('a kill hits the first process of its target and no other', async () => {
  const [hit, child, other] = [await sleeper(), await sleeper(), await sleeper()];
  const { injector, lines } = injectorFor({ a: [hit.pid ?? 0, child.pid ?? 0], b: [other.pid ?? 0] });
  const ended = once(hit, 'exit');
  await injector.run([{ kind: 'kill', atMs: 0, targets: ['a'] }], performance.now());
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect([child.signalCode, other.signalCode]).toEqual([null, null]);
  expect([injector.struck, lines]).toEqual([1, ['0.0 s  kill a']]);
});

test('a pause stops every process of its target and lets it go on when it is over', async () => {
  const [first, second] = [await sleeper(), await sleeper()];
  const { injector } = injectorFor({ a: [first.pid ?? 0, second.pid ?? 0] });
  const running = injector.run([{ kind: 'pause', atMs: 0, targets: ['a'], durationMs: 300 }], performance.now());
  await until(() => stateOf(first) === 'T' && stateOf(second) === 'T');
  await running;
  await until(() => stateOf(first) !== 'T' && stateOf(second) !== 'T');
});

test('what is paused goes on at once when the run is stopped', async () => {
  const child = await sleeper();
  const stop = new AbortController();
  const { injector } = injectorFor({ a: [child.pid ?? 0] }, stop);
  const pause = { kind: 'pause', atMs: 0, targets: ['a'], durationMs: 600_000 } as const;
  const running = injector.run([pause], performance.now());
  await until(() => stateOf(child) === 'T');
  stop.abort();
  await running;
  await until(() => stateOf(child) !== 'T');
});
