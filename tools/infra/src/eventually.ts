import { setTimeout as delay } from 'node:timers/promises';

/** Asks until it is so. @throws RangeError when it is not within the limit */
export async function eventually(what: string, isSo: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  const startMs = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startMs > limitMs) throw new RangeError(`not within ${limitMs / 1_000} s: ${what}`);
    await delay(200);
  }
}
