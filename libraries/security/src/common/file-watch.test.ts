import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { FileWatch } from './file-watch.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a file that is written is reported at once, long before the poll', async () => {
  const file = join(folder, 'a');
  let changed: () => void = () => undefined;
  const change = new Promise<void>((resolve) => {
    changed = resolve;
  });
  const watch = new FileWatch({ files: [file], pollMs: 3_600_000, onChange: async () => changed() });
  writeFileSync(file, 'a');
  await change;
  await watch.close();
});

test('a folder that cannot be watched is polled', async () => {
  const clock = new FakeClock();
  let looks = 0;
  const onChange = async () => {
    looks += 1;
  };
  const watch = new FileWatch({ files: [join(folder, 'absent', 'a')], pollMs: 1_000, onChange, clock });
  await clock.advance(3_000);
  expect(looks).toBe(3);
  await watch.close();
  await clock.advance(3_000);
  expect(looks).toBe(3);
});

test('a change that comes while another is handled is handled after it, once', async () => {
  let looks = 0;
  let proceed: () => void = () => undefined;
  const onChange = (): Promise<void> => {
    looks += 1;
    return new Promise((resolve) => {
      proceed = resolve;
    });
  };
  const watch = new FileWatch({ files: [join(folder, 'absent', 'a')], pollMs: 3_600_000, onChange });
  const handled = Promise.all([watch.check(), watch.check(), watch.check()]);
  proceed();
  await new Promise((resolve) => setImmediate(resolve));
  expect(looks).toBe(2);
  proceed();
  await handled;
  await watch.close();
  expect(looks).toBe(2);
});
