import { SeededRandom } from './seeded-random.ts';

/** What can be hit: a name that the platform's starter knows processes for. */
export type Target = string;

/** A target, and whether somebody starts it again when it was killed: else it is only paused. */
export interface Choice {
  readonly name: Target;
  readonly comesBack: boolean;
}

/** One thing that is done to one or more targets at once. `kill` is SIGKILL, `pause` SIGSTOP and, later, SIGCONT. */
export type Fault =
  | { readonly kind: 'kill'; readonly atMs: number; readonly targets: readonly Target[] }
  | { readonly kind: 'pause'; readonly atMs: number; readonly targets: readonly Target[]; readonly durationMs: number };

/** Between two faults: mostly long enough that work goes on, now and then so short that what was hit is still starting. */
const GAP_MS = [5_000, 20_000] as const;
const SHORT_GAP_MS = [300, 3_000] as const;
const SHARE_OF_SHORT_GAPS = 0.35;
/** The longest is longer than a holder may be silent, than a registry waits for a heartbeat, and than a probe. */
const PAUSE_MS = [300, 20_000] as const;
const SHARE_OF_LONG_PAUSES = 0.25;
const LONGEST_SHORT_PAUSE_MS = 4_000;

/** `atMs` counts from the first plan. The same seed and targets give the same faults; more minutes only add to them. */
export function faultSchedule(options: {
  readonly seed: number;
  readonly minutes: number;
  readonly targets: readonly Choice[];
}): readonly Fault[] {
  const random = new SeededRandom(options.seed);
  const endMs = options.minutes * 60_000;
  const gapMs = (): number => {
    const [shortest, longest] = random.next() < SHARE_OF_SHORT_GAPS ? SHORT_GAP_MS : GAP_MS;
    return random.between(shortest, longest);
  };
  const faults: Fault[] = [];
  for (let atMs = gapMs(); atMs < endMs; atMs += gapMs()) {
    const together = random.pick([1, 1, 1, 1, 2, 2, 3, options.targets.length]);
    const chosen = random.sample(options.targets, together);
    const targets = chosen.map(({ name }) => name);
    const drawn = random.pick(['kill', 'kill', 'pause']);
    const kind = chosen.every(({ comesBack }) => comesBack) ? drawn : 'pause';
    // Drawn in any case, so that a change of the kinds does not shift everything behind it.
    const long = random.next() < SHARE_OF_LONG_PAUSES;
    const durationMs = random.between(PAUSE_MS[0], long ? PAUSE_MS[1] : LONGEST_SHORT_PAUSE_MS);
    faults.push(kind === 'kill' ? { kind, atMs, targets } : { kind: 'pause', atMs, targets, durationMs });
  }
  return faults;
}
