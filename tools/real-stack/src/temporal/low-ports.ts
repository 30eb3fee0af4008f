import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Temporal keeps its ports in a column of 16 bits with a sign; what the system gives out by itself lies above. */
const RANGE = { from: 20_000, to: 32_768 } as const;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** TCP ports of the loopback interface below 32 768 that nothing used a moment ago. */
export async function lowPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(RANGE.from, RANGE.to);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}
