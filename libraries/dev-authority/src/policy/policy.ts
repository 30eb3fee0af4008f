import { isRecord } from '../api/fields.ts';
import { invalid } from '../fault.ts';
import { parseHcl } from './hcl.ts';

export const CAPABILITIES = ['create', 'read', 'update', 'delete', 'list', 'patch', 'sudo', 'deny'] as const;

export type Capability = (typeof CAPABILITIES)[number];

export interface PolicyRule {
  /** The path as written: may end in `*` and have `+` for one segment. */
  readonly pattern: string;
  readonly capabilities: ReadonlySet<Capability>;
  /** Names of body fields that may be sent; `*` allows any. Empty: no restriction. */
  readonly allowedParameters: ReadonlyMap<string, readonly string[]>;
  readonly deniedParameters: ReadonlyMap<string, readonly string[]>;
  readonly requiredParameters: readonly string[];
}

const OLD_POLICIES: Readonly<Record<string, readonly Capability[]>> = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'delete', 'list', 'patch'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'patch', 'sudo'],
};

/** Reads a policy in HCL or JSON. Whatever would narrow access and is not understood is refused, never ignored. */
export function parsePolicy(text: string): PolicyRule[] {
  try {
    return blocksOf(text).map(([path, attributes]) => ruleOf(path, attributes));
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`failed to parse policy: ${error.message}`);
    throw error;
  }
}

function blocksOf(text: string): [string, Record<string, unknown>][] {
  if (!text.trimStart().startsWith('{')) {
    return parseHcl(text)
      .filter((block) => block.type !== 'name')
      .map((block) => {
        if (block.type !== 'path') throw new SyntaxError(`invalid key "${block.type}"`);
        return [block.label, Object.fromEntries(block.attributes)];
      });
  }
  const document: unknown = JSON.parse(text);
  const paths = isRecord(document) ? document.path : undefined;
  const groups = Array.isArray(paths) ? paths : [paths ?? {}];
  return groups.flatMap((group: unknown) => {
    if (!isRecord(group)) throw new SyntaxError('"path" must be an object');
    return Object.entries(group).map(([path, attributes]): [string, Record<string, unknown>] => {
      const body: unknown = Array.isArray(attributes) ? attributes[0] : attributes;
      if (!isRecord(body)) throw new SyntaxError(`path "${path}": must be an object`);
      return [path, body];
    });
  });
}

function ruleOf(path: string, attributes: Record<string, unknown>): PolicyRule {
  const pattern = path.startsWith('/') ? path.slice(1) : path;
  if (pattern.includes('{{')) throw new SyntaxError(`path "${path}": identity templates are not supported`);
  if (pattern.slice(0, -1).includes('*')) throw new SyntaxError(`path "${path}": "*" may only stand at the end`);
  if (pattern.split('/').some((segment) => segment.includes('+') && segment !== '+' && segment !== '+*')) {
    throw new SyntaxError(`path "${path}": "+" must be a whole segment`);
  }
  const rule: { -readonly [Key in keyof PolicyRule]: PolicyRule[Key] } = {
    pattern,
    capabilities: new Set(),
    allowedParameters: new Map(),
    deniedParameters: new Map(),
    requiredParameters: [],
  };
  for (const [key, value] of Object.entries(attributes)) {
    switch (key) {
      case 'capabilities':
        rule.capabilities = new Set(texts(path, key, value).map((name) => capability(path, name)));
        break;
      case 'policy': {
        const old = typeof value === 'string' ? OLD_POLICIES[value] : undefined;
        if (old === undefined) throw new SyntaxError(`path "${path}": invalid policy`);
        rule.capabilities = new Set(old);
        break;
      }
      case 'allowed_parameters':
        rule.allowedParameters = parameters(path, key, value);
        break;
      case 'denied_parameters':
        rule.deniedParameters = parameters(path, key, value);
        break;
      case 'required_parameters':
        rule.requiredParameters = texts(path, key, value);
        break;
      case 'comment':
        break;
      default:
        throw new SyntaxError(`path "${path}": invalid key "${key}"`);
    }
  }
  // Deny wins over everything that stands beside it.
  if (rule.capabilities.has('deny')) rule.capabilities = new Set(['deny']);
  return rule;
}

function capability(path: string, name: string): Capability {
  const found = CAPABILITIES.find((known) => known === name);
  if (found === undefined) throw new SyntaxError(`path "${path}": invalid capability "${name}"`);
  return found;
}

function texts(path: string, key: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value;
  throw new SyntaxError(`path "${path}": "${key}" must be a list of texts`);
}

function parameters(path: string, key: string, value: unknown): Map<string, string[]> {
  if (!isRecord(value)) throw new SyntaxError(`path "${path}": "${key}" must be an object`);
  return new Map(
    Object.entries(value).map(([name, allowed]) => {
      if (!Array.isArray(allowed)) throw new SyntaxError(`path "${path}": "${key}" must hold lists`);
      return [name.toLowerCase(), allowed.map(String)];
    }),
  );
}
