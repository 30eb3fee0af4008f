export type Labels<Label extends string> = Readonly<Record<Label, string>>;

export interface Sample<Label extends string> {
  readonly labels: Labels<Label>;
  readonly value: number;
}

/** What a system of metrics must be able to do for the library. */
export interface Instruments {
  counter<Label extends string>(name: string, help: string, labels: readonly Label[]): (labels: Labels<Label>) => void;
  /** Of durations. @param buckets Upper bounds in seconds. */
  histogram<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    buckets: readonly number[],
  ): (labels: Labels<Label>, seconds: number) => void;
  /** `read` is called at each look at the metric, and never in between. */
  gauge<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    read: () => readonly Sample<Label>[],
  ): void;
}

/** For what a server answers, in seconds. */
export const ANSWER_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** For what waits until others have finished their work, in seconds. */
export const WORK_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60] as const;
