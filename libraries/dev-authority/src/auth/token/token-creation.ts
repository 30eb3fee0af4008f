import type { Call } from '../../api/route.ts';
import { denied, Fault, invalid } from '../../fault.ts';
import { grantTtl, SYSTEM_TTL_SECONDS } from '../../lease/ttl.ts';
import type { Parts } from '../../parts.ts';
import type { NewToken, Token } from './token-store.ts';

const UNSUPPORTED = ['entity_alias', 'policies_template'];

/** `auth/token/create`: a token that can do no more than the one that asks, unless that one has sudo. */
export function createChild(
  parts: Parts,
  call: Call,
  parent: Token,
  orphan: boolean,
): { token: Token; warnings: readonly string[] } {
  const { fields } = call;
  for (const name of UNSUPPORTED)
    if (fields.has(name) && fields.get(name) !== '') throw invalid(`"${name}" is not supported`);
  const type = fields.text('type') || 'service';
  if (type !== 'service' && type !== 'default-service') throw invalid(`token type "${type}" is not supported`);
  if (parent.usesLeft > 0) throw invalid('restricted use token cannot generate child tokens');
  const powerful = call.acl.isRoot || call.acl.allows(call.path, 'sudo');

  const policies = policiesOf(call, parent, powerful);
  const periodSeconds = fields.seconds('period') ?? 0;
  if (periodSeconds > 0 && !powerful)
    throw new Fault('invalid_request', 'root or sudo privileges required to create periodic token');
  const id = fields.text('id') || undefined;
  if (id !== undefined && !call.acl.isRoot) throw invalid('root or sudo privileges required to specify token id');
  if (id !== undefined && !/^[\x21-\x7e]+$/.test(id))
    throw invalid('token id has characters that cannot travel in a header');
  const noParent = fields.flag('no_parent') ?? false;
  if (noParent && !powerful) throw invalid('root or sudo privileges required to create orphan token');

  const explicitMaxTtlSeconds = fields.seconds('explicit_max_ttl') ?? 0;
  const asked = fields.seconds('ttl') ?? fields.seconds('lease') ?? 0;
  const isRoot = policies.includes('root');
  if (isRoot && parent.expiresAtMs !== null && asked === 0) {
    throw invalid('expiring root tokens cannot create non-expiring root tokens');
  }
  const forever = isRoot && asked === 0 && periodSeconds === 0 && explicitMaxTtlSeconds === 0;
  const granted = grantTtl(
    { ttlSeconds: periodSeconds || asked, maxTtlSeconds: explicitMaxTtlSeconds },
    {
      defaultTtlSeconds: SYSTEM_TTL_SECONDS,
      maxTtlSeconds: periodSeconds > 0 ? Math.max(periodSeconds, SYSTEM_TTL_SECONDS) : SYSTEM_TTL_SECONDS,
    },
  );
  const displayName = fields.text('display_name') ?? '';
  const made: NewToken = {
    parent: orphan || noParent ? null : parent.accessor,
    policies,
    path: call.path,
    displayName: displayName === '' ? 'token' : `token-${displayName.replace(/[^a-zA-Z0-9-]/g, '-').slice(0, 100)}`,
    meta: fields.textRecord('meta') ?? null,
    ...(id === undefined ? {} : { id }),
    ttlSeconds: forever ? 0 : granted.ttlSeconds,
    maxTtlSeconds: granted.maxTtlSeconds,
    explicitMaxTtlSeconds,
    periodSeconds,
    renewable: fields.flag('renewable') ?? true,
    usesLeft: Math.max(0, fields.integer('num_uses') ?? 0),
  };
  return { token: parts.tokens.create(made), warnings: forever ? [] : granted.warnings };
}

function policiesOf(call: Call, parent: Token, powerful: boolean): string[] {
  const asked = call.fields.list('policies')?.map((name) => name.toLowerCase());
  const wanted = asked === undefined || asked.length === 0 ? [...parent.policies] : asked;
  if (wanted.includes('root')) {
    if (!call.acl.isRoot) throw invalid('root tokens may not be created without parent token being root');
    return ['root'];
  }
  if (!powerful && !wanted.every((name) => name === 'default' || parent.policies.includes(name))) {
    throw new Fault('invalid_request', 'child policies must be subset of parent');
  }
  const withDefault = call.fields.flag('no_default_policy') === true ? wanted : [...wanted, 'default'];
  return [...new Set(withDefault)].sort();
}

export function requireToken(call: Call): Token {
  if (call.token === undefined) throw denied();
  return call.token;
}
