/** What one side says of a case. */
export interface Verdict {
  readonly accepted: boolean;
  /** The code of the error; empty when accepted. */
  readonly why: string;
}

/**
 * A difference that is meant. `holds` looks at the case itself, never at what our verifier said of it: a rule that does
 * not hold for the case explains nothing.
 */
export type Rule<Case> =
  | {
      readonly name: string;
      readonly refusedBy: 'ours';
      readonly holds: (question: Case) => boolean;
    }
  | {
      readonly name: string;
      readonly refusedBy: 'peer';
      readonly holds: (question: Case) => boolean;
      /** The same case without what the peer refuses: it has to accept that, or more is wrong than the rule says. */
      readonly without: (question: Case) => Case;
    };

export interface Oracle<Case> {
  readonly name: string;
  readonly rules: readonly Rule<Case>[];
  readonly ours: (question: Case) => Verdict;
  readonly peer: (question: Case) => Promise<Verdict>;
  /** One line that is enough to find the case again. */
  readonly describe: (question: Case) => string;
}

/** One line of the output. */
export interface Outcome {
  readonly oracle: string;
  readonly cases: number;
  readonly agreed: number;
  /** Cases by the name of the rule that explains them. */
  readonly explained: Readonly<Record<string, number>>;
  readonly unexplained: number;
}

export interface Comparison {
  readonly outcome: Outcome;
  /** Cases that both sides accepted: without any, agreeing would prove nothing. */
  readonly bothAccepted: number;
  /** The first few differences that no rule explains. */
  readonly examples: readonly string[];
}

const MAX_EXAMPLES = 10;

/** @param parallel How many cases are put at a time, for a peer that is another process. */
export async function compare<Case>(
  oracle: Oracle<Case>,
  cases: Iterable<Case>,
  { parallel = 1 }: { readonly parallel?: number } = {},
): Promise<Comparison> {
  const explained: Record<string, number> = {};
  const examples: string[] = [];
  const count = { cases: 0, agreed: 0, bothAccepted: 0, unexplained: 0 };
  // One iterator for all of them: each takes the next case.
  const rest = cases[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      const question = next.value;
      const [ours, peer] = [oracle.ours(question), await oracle.peer(question)];
      count.cases += 1;
      if (ours.accepted === peer.accepted) {
        count.agreed += 1;
        if (ours.accepted) count.bothAccepted += 1;
        continue;
      }
      const rule = await explanation(oracle, question, ours.accepted ? 'peer' : 'ours');
      if (rule !== undefined) explained[rule] = (explained[rule] ?? 0) + 1;
      else {
        count.unexplained += 1;
        const said = `ours ${ours.why || 'accepts'}, ${oracle.name} ${peer.why || 'accepts'}`;
        if (examples.length < MAX_EXAMPLES) examples.push(`${said}: ${oracle.describe(question)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  const { bothAccepted, ...counted } = count;
  const sorted = Object.fromEntries(Object.entries(explained).sort(([, a], [, b]) => b - a));
  const { cases: total, agreed, unexplained } = counted;
  return {
    outcome: { oracle: oracle.name, cases: total, agreed, explained: sorted, unexplained },
    bothAccepted,
    examples,
  };
}

async function explanation<Case>(
  { rules, peer }: Oracle<Case>,
  question: Case,
  refusedBy: 'ours' | 'peer',
): Promise<string | undefined> {
  const holding = rules.filter((rule) => rule.refusedBy === refusedBy && rule.holds(question));
  const [first] = holding;
  if (first === undefined || refusedBy === 'ours') return first?.name;
  const without = holding.reduce((left, rule) => (rule.refusedBy === 'peer' ? rule.without(left) : left), question);
  return (await peer(without)).accepted ? first.name : undefined;
}
