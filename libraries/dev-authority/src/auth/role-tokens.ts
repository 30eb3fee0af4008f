import { createHash } from 'node:crypto';
import type { Fields } from '../api/fields.ts';
import type { Answer, Call } from '../api/route.ts';
import { invalid } from '../fault.ts';
import { grantTtl } from '../lease/ttl.ts';
import type { Parts } from '../parts.ts';

/** The part that roles of every auth method share: what tokens it gives. */
export interface RoleTokens {
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly explicitMaxTtlSeconds: number;
  readonly periodSeconds: number;
  readonly policies: readonly string[];
  readonly noDefaultPolicy: boolean;
  readonly numUses: number;
}

const NONE: RoleTokens = {
  ttlSeconds: 0,
  maxTtlSeconds: 0,
  explicitMaxTtlSeconds: 0,
  periodSeconds: 0,
  policies: [],
  noDefaultPolicy: false,
  numUses: 0,
};

/** Fields that are not sent keep what the role had. */
export function readRoleTokens(fields: Fields, present: RoleTokens = NONE): RoleTokens {
  const cidrs = fields.list('token_bound_cidrs') ?? [];
  if (cidrs.length > 0) throw invalid('"token_bound_cidrs" is not supported');
  const type = fields.text('token_type') ?? 'default';
  if (!['', 'default', 'default-service', 'service'].includes(type))
    throw invalid(`token type "${type}" is not supported`);
  const read: RoleTokens = {
    ttlSeconds: fields.seconds('token_ttl') ?? fields.seconds('ttl') ?? present.ttlSeconds,
    maxTtlSeconds: fields.seconds('token_max_ttl') ?? fields.seconds('max_ttl') ?? present.maxTtlSeconds,
    explicitMaxTtlSeconds: fields.seconds('token_explicit_max_ttl') ?? present.explicitMaxTtlSeconds,
    periodSeconds: fields.seconds('token_period') ?? fields.seconds('period') ?? present.periodSeconds,
    policies: fields.list('token_policies') ?? fields.list('policies') ?? present.policies,
    noDefaultPolicy: fields.flag('token_no_default_policy') ?? present.noDefaultPolicy,
    numUses: fields.integer('token_num_uses') ?? present.numUses,
  };
  if (read.maxTtlSeconds > 0 && read.ttlSeconds > read.maxTtlSeconds) {
    throw invalid("'token_ttl' cannot be greater than 'token_max_ttl'");
  }
  return read;
}

export function describeRoleTokens(role: RoleTokens): Record<string, unknown> {
  return {
    token_bound_cidrs: [],
    token_explicit_max_ttl: role.explicitMaxTtlSeconds,
    token_max_ttl: role.maxTtlSeconds,
    token_no_default_policy: role.noDefaultPolicy,
    token_num_uses: role.numUses,
    token_period: role.periodSeconds,
    token_policies: role.policies,
    token_strictly_bind_ip: false,
    token_ttl: role.ttlSeconds,
    token_type: 'default',
  };
}

export interface ProvenIdentity {
  /** Unique and stable below the mount. */
  readonly alias: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>>;
}

/** The answer of a login that succeeded. */
export function logIn(parts: Parts, call: Call, role: RoleTokens, identity: ProvenIdentity): Answer {
  const policies = [...new Set([...role.policies, ...(role.noDefaultPolicy ? [] : ['default'])])].sort();
  if (policies.includes('root')) throw invalid('auth methods cannot create root tokens');
  const mount = parts.mounts.get(call.mount);
  const granted = grantTtl(
    {
      ttlSeconds: role.periodSeconds || role.ttlSeconds,
      maxTtlSeconds: role.periodSeconds > 0 ? 0 : role.maxTtlSeconds,
    },
    { defaultTtlSeconds: mount?.settings.defaultTtlSeconds ?? 0, maxTtlSeconds: mount?.settings.maxTtlSeconds ?? 0 },
  );
  const explicit = role.explicitMaxTtlSeconds || Number.POSITIVE_INFINITY;
  const token = parts.tokens.create({
    parent: null,
    policies,
    path: call.path,
    displayName: identity.displayName,
    meta: identity.meta,
    entityId: uuidOf(`${mount?.accessor ?? ''}\0${identity.alias}`),
    ttlSeconds: Math.min(granted.ttlSeconds, explicit),
    maxTtlSeconds: granted.maxTtlSeconds,
    explicitMaxTtlSeconds: role.explicitMaxTtlSeconds,
    periodSeconds: role.periodSeconds,
    usesLeft: role.numUses,
  });
  return { auth: { token, leaseSeconds: token.ttlSeconds }, warnings: granted.warnings };
}

/** The same caller gets the same entity at every login. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
