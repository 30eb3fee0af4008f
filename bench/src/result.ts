/** One line of the output. */
export interface Result {
  readonly name: string;
  readonly ours: number;
  readonly peer: number;
  /** ours / peer. */
  readonly ratio: number;
  /** Of `ours` and `peer`. */
  readonly unit: string;
  /** Rounds; `ours` and `peer` are the medians of as many figures each. */
  readonly runs: number;
}

export interface Rounds {
  readonly ours: readonly number[];
  readonly peer: readonly number[];
}

export function resultOf(name: string, unit: string, { ours, peer }: Rounds): Result {
  const [a, b] = [median(ours), median(peer)];
  return { name, ours: round(a), peer: round(b), ratio: round(a / b), unit, runs: ours.length };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The smallest value that `share` of all are not above; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
