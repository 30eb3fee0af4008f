import type { Loaded } from './replica-view.ts';

/** What the script that loads everything has answered. */
export function loadedOf(answer: unknown): { readonly loaded: Loaded; readonly timeMs: number } {
  const [seq, revision, seconds, micros, agents, seen, changes] = answer as [
    ...times: [string, string, string, string],
    agents: string[],
    seen: string[],
    changes: [id: string, fields: string[]][],
  ];
  return {
    timeMs: millis(seconds, micros),
    loaded: {
      seq: Number(seq),
      revision: Number(revision),
      registered: mapOf(agents),
      seen: mapOf(seen),
      changes: changes.map(([id, fields]) => [Number.parseInt(id, 10), fields[1] ?? '']),
    },
  };
}

export type WriteAnswer =
  | { readonly kind: 'written'; readonly timeMs: number }
  /** The agent has changed since it was read. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'full'; readonly agents: number; readonly ofIdentity: number };

/** What the script that writes has answered. */
export function writeAnswerOf(answer: unknown): WriteAnswer {
  const [kind, first = 0, second = 0] = answer as [WriteAnswer['kind'], (string | number)?, (string | number)?];
  switch (kind) {
    case 'written':
      return { kind, timeMs: millis(first, second) };
    case 'full':
      return { kind, agents: Number(first), ofIdentity: Number(second) };
    case 'conflict':
      return { kind };
  }
}

function millis(seconds: string | number, micros: string | number): number {
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}

/** Redis lists a hash as names and values in turn. */
function mapOf(flat: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2) map.set(flat[index] ?? '', flat[index + 1] ?? '');
  return map;
}
