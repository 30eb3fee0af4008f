import { isFinal } from '../domain/index.ts';
import type { PlanEngine } from '../ports/plan-engine.ts';

/** Another process may have moved the plan: its changes are looked for this often. */
const POLL_MS = 1_000;

/**
 * The progress of a plan after line `after`, as lines of JSON, until the plan has ended or the signal is aborted. Each
 * line has its `seq`: a reader that was cut off goes on after the last one it has. An empty line now and then shows
 * that the connection lives.
 */
export async function* progressLines(
  engine: Pick<PlanEngine, 'find' | 'progressAfter' | 'onChange'>,
  planId: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let seq = after;
  let changed = true;
  let wake = (): void => undefined;
  const unsubscribe = engine.onChange(planId, () => {
    changed = true;
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    // Asked before the first lines, so that an end in between is among the lines.
    let ended = isFinal((await engine.find(planId))?.status ?? 'FAILED');
    yield '\n';
    while (!signal.aborted) {
      changed = false;
      const page = await engine.progressAfter(planId, seq);
      for (const numbered of page) {
        seq = numbered.seq;
        ended ||= numbered.line.type === 'plan' && numbered.line.final;
        yield `${JSON.stringify({ seq, ...numbered.line })}\n`;
      }
      if (page.length > 0) continue;
      if (ended) return;
      if (!changed) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, POLL_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          if (signal.aborted) wake();
        });
        wake = () => undefined;
      }
      if (!changed && !signal.aborted) yield '\n';
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', onAbort);
  }
}
