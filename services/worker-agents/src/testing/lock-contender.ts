/**
 * A process that takes a lock again and again and adds one to a number in a file, not atomically, while it holds it.
 * With `die` it ends by SIGKILL while it holds the lock.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { takeLock } from '../adapters/filesystem/process-lock.ts';

const [lock = '', counter = '', rounds = '', mode = ''] = process.argv.slice(2);
const signal = AbortSignal.timeout(60_000);
for (let round = 0; round < Number(rounds); round += 1) {
  const held = await takeLock(lock, { signal });
  const value = Number(readFileSync(counter, 'utf8'));
  await new Promise((resolve) => setTimeout(resolve, 1));
  writeFileSync(counter, String(value + 1));
  appendFileSync(`${counter}.log`, '+');
  if (mode === 'die') process.kill(process.pid, 'SIGKILL');
  held.release();
}
