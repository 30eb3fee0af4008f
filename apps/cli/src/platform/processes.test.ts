import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { processesWith, processStart, processTree, proportionalBytes } from './processes.ts';

test('a child is seen in the tree, by its marker and by its memory, and no more once it ended', async () => {
  const marker = `NH_TEST_MARKER=${process.pid}`;
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    env: { NH_TEST_MARKER: String(process.pid) },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  await expect.poll(() => processesWith(marker)).toEqual([pid]);
  expect(processTree(process.pid)).toContain(pid);
  expect(proportionalBytes([pid])).toBeGreaterThan(1_000_000);
  child.stdin.end();
  await once(child, 'exit');
  expect(processStart(pid)).toBeUndefined();
  expect(processesWith(marker)).toEqual([]);
  expect(processTree(process.pid)).not.toContain(pid);
});
