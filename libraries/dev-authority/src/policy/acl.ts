import type { Capability, PolicyRule } from './policy.ts';

/** What a token's policies allow together. */
export class Acl {
  readonly #root: boolean;
  readonly #rules: ReadonlyMap<string, PolicyRule>;

  private constructor(root: boolean, rules: ReadonlyMap<string, PolicyRule>) {
    this.#root = root;
    this.#rules = rules;
  }

  static root(): Acl {
    return new Acl(true, new Map());
  }

  static of(rules: Iterable<PolicyRule>): Acl {
    const merged = new Map<string, PolicyRule>();
    for (const rule of rules) {
      const present = merged.get(rule.pattern);
      merged.set(rule.pattern, present === undefined ? rule : merge(present, rule));
    }
    return new Acl(false, merged);
  }

  get isRoot(): boolean {
    return this.#root;
  }

  /** May a request with `needed` be made at `path`, with these body fields? */
  allows(path: string, needed: Capability, body: Readonly<Record<string, unknown>> = {}): boolean {
    if (this.#root) return true;
    const rule = this.#ruleFor(path, needed === 'list');
    if (rule === undefined || rule.capabilities.has('deny') || !rule.capabilities.has(needed)) return false;
    return needed === 'create' || needed === 'update' || needed === 'patch' ? allowsBody(rule, body) : true;
  }

  /** The answer of `sys/capabilities-self`. */
  capabilities(path: string): string[] {
    if (this.#root) return ['root'];
    const rule = this.#ruleFor(path, true);
    const found = [...(rule?.capabilities ?? [])].sort();
    return found.length === 0 ? ['deny'] : found;
  }

  /** Some path below this mount is allowed: enough to learn that the mount is there. */
  touches(mount: string): boolean {
    if (this.#root) return true;
    for (const rule of this.#rules.values()) {
      if (rule.capabilities.has('deny') || rule.capabilities.size === 0) continue;
      const fixed = rule.pattern.replace(/[+*].*$/s, '');
      if (fixed.startsWith(mount) || (fixed !== rule.pattern && mount.startsWith(fixed))) return true;
    }
    return false;
  }

  #ruleFor(path: string, listing: boolean): PolicyRule | undefined {
    const exact = this.#rules.get(path);
    if (exact !== undefined) return exact;
    if (listing && path.endsWith('/')) {
      const bare = this.#rules.get(path.slice(0, -1));
      if (bare !== undefined) return bare;
    }
    let best: PolicyRule | undefined;
    for (const rule of this.#rules.values()) {
      if (matches(rule.pattern, path) && (best === undefined || outranks(rule.pattern, best.pattern))) best = rule;
    }
    return best;
  }
}

/** Deny in any policy wins; parameter limits widen, as each policy alone would have allowed them. */
function merge(left: PolicyRule, right: PolicyRule): PolicyRule {
  if (left.capabilities.has('deny')) return left;
  if (right.capabilities.has('deny')) return right;
  const allowed =
    left.allowedParameters.size === 0 || right.allowedParameters.size === 0
      ? new Map<string, readonly string[]>()
      : mergeParameters(left.allowedParameters, right.allowedParameters);
  return {
    pattern: left.pattern,
    capabilities: new Set([...left.capabilities, ...right.capabilities]),
    allowedParameters: allowed,
    deniedParameters: mergeParameters(left.deniedParameters, right.deniedParameters),
    requiredParameters: [...new Set([...left.requiredParameters, ...right.requiredParameters])],
  };
}

type Parameters = PolicyRule['allowedParameters'];

/** What either lists for a parameter counts; an empty list stands for every value. */
function mergeParameters(left: Parameters, right: Parameters): Parameters {
  const merged = new Map(left);
  for (const [name, values] of right) {
    const present = merged.get(name);
    const all = present !== undefined && (present.length === 0 || values.length === 0);
    merged.set(name, all ? [] : [...(present ?? []), ...values]);
  }
  return merged;
}

function matches(pattern: string, path: string): boolean {
  const prefix = pattern.endsWith('*');
  if (!pattern.includes('+')) return prefix && path.startsWith(pattern.slice(0, -1));
  const wanted = (prefix ? pattern.slice(0, -1) : pattern).split('/');
  const given = path.split('/');
  if (prefix ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, index) => {
    const actual = given[index] ?? '';
    if (segment === '+') return actual !== '' || index === wanted.length - 1;
    return prefix && index === wanted.length - 1 ? actual.startsWith(segment) : actual === segment;
  });
}

/** Vault's order among patterns that match: the one whose first wildcard comes later wins, and so on down. */
function outranks(left: string, right: string): boolean {
  const first = firstWildcard(left) - firstWildcard(right);
  if (first !== 0) return first > 0;
  if (left.endsWith('*') !== right.endsWith('*')) return right.endsWith('*');
  const pluses = left.split('+').length - right.split('+').length;
  if (pluses !== 0) return pluses < 0;
  if (left.length !== right.length) return left.length > right.length;
  return left > right;
}

function firstWildcard(pattern: string): number {
  const at = pattern.search(/[+*]/);
  return at === -1 ? pattern.length : at;
}

function allowsBody(rule: PolicyRule, body: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(body).map((name) => name.toLowerCase());
  if (!rule.requiredParameters.every((name) => names.includes(name.toLowerCase()))) return false;
  for (const [name, value] of Object.entries(body)) {
    const key = name.toLowerCase();
    if (rule.deniedParameters.has('*')) return false;
    const refused = rule.deniedParameters.get(key);
    if (refused !== undefined && (refused.length === 0 || includesValue(refused, value))) return false;
    if (rule.allowedParameters.size === 0) continue;
    const allowed = rule.allowedParameters.get(key);
    if (allowed === undefined) {
      if (!rule.allowedParameters.has('*')) return false;
    } else if (allowed.length > 0 && !includesValue(allowed, value)) return false;
  }
  return true;
}

function includesValue(values: readonly string[], value: unknown): boolean {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return values.some((entry) => (entry.endsWith('*') ? text.startsWith(entry.slice(0, -1)) : entry === text));
}
