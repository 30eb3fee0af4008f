import { AssertionError } from 'node:assert/strict';
import { messageOf } from '@neural-hive/security/common';
import type { Report } from './check.ts';
import type { Manifests } from './manifests.ts';
import { isChange, type Mutation } from './mutation.ts';

/** One point of a checklist. */
export interface Rule {
  /** Unique in its table, and the point's number where it has one: `vault-11`. */
  readonly id: string;
  /** The rule as a sentence. */
  readonly what: string;
  /** Throws an AssertionError (`node:assert/strict`) where the manifests break the rule. */
  readonly assert: (manifests: Manifests) => void;
  /** Changes after each of which `assert` must throw: a rule that cannot fail shows nothing. */
  readonly mutations: readonly Mutation[];
}

/** Reports one point for the rule as rendered, and one for each mutation that it has to notice. */
export function judgeRule(rule: Rule, manifests: Manifests, report: Report): void {
  const broken = verdictOf(rule, manifests);
  if (broken !== undefined) {
    report.failed(rule.id, `${rule.what}: ${broken.message}`);
    return;
  }
  report.passed(rule.id);
  if (rule.mutations.length === 0) report.failed(rule.id, 'has no mutation, so nothing shows that it can fail');
  for (const mutation of rule.mutations) {
    const point = `${rule.id}, mutated`;
    const mutant = mutation.apply(manifests);
    if (!isChange(manifests, mutant)) report.failed(point, `nothing was changed by: ${mutation.what}`);
    else judgeMutant(rule, mutant, mutation.what, report);
  }
}

export function judgeRules(rules: readonly Rule[], manifests: Manifests, report: Report): void {
  const ids = rules.map(({ id }) => id);
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index);
  if (repeated !== undefined) throw new RangeError(`two rules are called ${repeated}`);
  for (const rule of rules) judgeRule(rule, manifests, report);
}

function judgeMutant(rule: Rule, mutant: Manifests, what: string, report: Report): void {
  const broken = verdictOf(rule, mutant);
  const point = `${rule.id}, mutated`;
  if (broken === undefined) report.failed(point, `it did not notice: ${what}`);
  // Falling over is not noticing: the reader would get a stack instead of the rule.
  else if (!broken.isAssertion) report.failed(point, `it fell over (${broken.message}) at: ${what}`);
  else report.passed(point);
}

function verdictOf(rule: Rule, manifests: Manifests): { message: string; isAssertion: boolean } | undefined {
  try {
    rule.assert(manifests);
    return undefined;
  } catch (error) {
    return { message: messageOf(error), isAssertion: error instanceof AssertionError };
  }
}
