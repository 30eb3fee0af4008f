import type { Clock } from '@neural-hive/security/common';
import { invalid } from '../fault.ts';
import type { StateSection } from '../state/journal.ts';
import { Acl } from './acl.ts';
import { DEFAULT_POLICY } from './default-policy.ts';
import { type PolicyRule, parsePolicy } from './policy.ts';

interface StoredPolicy {
  readonly text: string;
  readonly rules: readonly PolicyRule[];
  readonly modifiedMs: number;
  readonly version: number;
}

type SavedPolicies = Record<string, { text: string; modifiedMs: number; version: number }>;

/** Named policies. Names are lower case, `root` is no text and cannot be changed. */
export class PolicyStore implements StateSection {
  readonly #policies = new Map<string, StoredPolicy>();
  readonly #clock: Clock;

  constructor(clock: Clock, saved?: unknown) {
    this.#clock = clock;
    for (const [name, { text, modifiedMs, version }] of Object.entries((saved ?? {}) as SavedPolicies)) {
      this.#policies.set(name, { text, rules: parsePolicy(text), modifiedMs, version });
    }
    if (!this.#policies.has('default')) this.write('default', DEFAULT_POLICY);
  }

  names(): string[] {
    return [...this.#policies.keys(), 'root'].sort();
  }

  read(name: string): StoredPolicy | undefined {
    const key = name.toLowerCase();
    return key === 'root' ? { text: '', rules: [], modifiedMs: 0, version: 0 } : this.#policies.get(key);
  }

  write(name: string, text: string): void {
    const key = name.toLowerCase();
    if (key === 'root') throw invalid('cannot update "root" policy');
    const version = (this.#policies.get(key)?.version ?? 0) + 1;
    this.#policies.set(key, { text, rules: parsePolicy(text), modifiedMs: this.#clock.now(), version });
  }

  delete(name: string): void {
    const key = name.toLowerCase();
    if (key === 'root' || key === 'default') throw invalid(`cannot delete "${key}" policy`);
    this.#policies.delete(key);
  }

  /** A name without a policy grants nothing. */
  aclFor(names: readonly string[]): Acl {
    if (names.includes('root')) return Acl.root();
    return Acl.of(names.flatMap((name) => this.#policies.get(name)?.rules ?? []));
  }

  save(): unknown {
    return Object.fromEntries(
      [...this.#policies].map(([name, { text, modifiedMs, version }]) => [name, { text, modifiedMs, version }]),
    );
  }
}
