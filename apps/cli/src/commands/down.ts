import { setTimeout as delay } from 'node:timers/promises';
import { EXIT, environmentFailure } from '../failure.ts';
import type { Output } from '../output.ts';
import { locateHome } from '../platform/home.ts';
import { lockHolder } from '../platform/lock.ts';
import { processStart } from '../platform/processes.ts';

const LIMIT_MS = 15_000;
const POLL_MS = 100;

/** Asks the supervisor to shut down and waits until it has. */
export async function down(options: { home?: string }, output: Output): Promise<number> {
  const home = locateHome({
    root: process.getuid?.() === 0,
    ...(options.home === undefined ? {} : { data: options.home }),
  });
  const pid = lockHolder(home.lockFile);
  if (pid === undefined) throw environmentFailure('No platform is running.');
  await output.step('Stopping the platform', async () => {
    process.kill(pid, 'SIGTERM');
    for (const endMs = performance.now() + LIMIT_MS; processStart(pid) !== undefined; await delay(POLL_MS)) {
      if (performance.now() > endMs)
        throw environmentFailure(`The supervisor (process ${pid}) did not end within 15 s.`);
    }
  });
  output.result({ stopped: pid });
  return EXIT.ok;
}
