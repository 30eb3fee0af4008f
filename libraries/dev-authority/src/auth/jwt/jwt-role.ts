import type { Fields } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';
import { describeRoleTokens, type RoleTokens, readRoleTokens } from '../role-tokens.ts';

export interface JwtRole {
  readonly boundAudiences: readonly string[];
  readonly boundSubject: string;
  /** Claim → values of which one must be there. */
  readonly boundClaims: Readonly<Record<string, readonly string[]>>;
  readonly boundClaimsType: 'string' | 'glob';
  readonly userClaim: string;
  readonly claimMappings: Readonly<Record<string, string>>;
  readonly leewaySeconds: { readonly clock: number; readonly expiration: number; readonly notBefore: number };
  readonly tokens: RoleTokens;
}

export function readJwtRole(fields: Fields, present: JwtRole | undefined): JwtRole {
  const type = fields.text('role_type') ?? 'jwt';
  if (type !== 'jwt') throw invalid(`invalid 'role_type': ${type}: only jwt is supported`);
  for (const name of ['groups_claim', 'allowed_redirect_uris', 'oidc_scopes', 'user_claim_json_pointer']) {
    const value = fields.get(name);
    const empty =
      value === undefined ||
      value === null ||
      value === '' ||
      value === false ||
      (Array.isArray(value) && value.length === 0);
    if (!empty) throw invalid(`"${name}" is not supported`);
  }
  const claimsType = fields.text('bound_claims_type') ?? present?.boundClaimsType ?? 'string';
  if (claimsType !== 'string' && claimsType !== 'glob') throw invalid("invalid 'bound_claims_type'");
  const role: JwtRole = {
    boundAudiences: fields.list('bound_audiences') ?? present?.boundAudiences ?? [],
    boundSubject: fields.text('bound_subject') ?? present?.boundSubject ?? '',
    boundClaims: readBoundClaims(fields) ?? present?.boundClaims ?? {},
    boundClaimsType: claimsType,
    userClaim: fields.text('user_claim') ?? present?.userClaim ?? '',
    claimMappings: fields.textRecord('claim_mappings') ?? present?.claimMappings ?? {},
    leewaySeconds: {
      clock: leeway(fields, 'clock_skew_leeway', present?.leewaySeconds.clock),
      expiration: leeway(fields, 'expiration_leeway', present?.leewaySeconds.expiration),
      notBefore: leeway(fields, 'not_before_leeway', present?.leewaySeconds.notBefore),
    },
    tokens: readRoleTokens(fields, present?.tokens),
  };
  if (role.userClaim === '') throw invalid('a user claim must be defined on the role');
  const unbound =
    role.boundAudiences.length === 0 && role.boundSubject === '' && Object.keys(role.boundClaims).length === 0;
  if (unbound) throw invalid('must have at least one bound constraint when creating/updating a role');
  return role;
}

export function describeJwtRole(role: JwtRole): Record<string, unknown> {
  return {
    allowed_redirect_uris: null,
    bound_audiences: role.boundAudiences,
    bound_claims: Object.keys(role.boundClaims).length === 0 ? null : role.boundClaims,
    bound_claims_type: role.boundClaimsType,
    bound_subject: role.boundSubject,
    claim_mappings: Object.keys(role.claimMappings).length === 0 ? null : role.claimMappings,
    clock_skew_leeway: role.leewaySeconds.clock,
    expiration_leeway: role.leewaySeconds.expiration,
    groups_claim: '',
    not_before_leeway: role.leewaySeconds.notBefore,
    oidc_scopes: null,
    role_type: 'jwt',
    ...describeRoleTokens(role.tokens),
    user_claim: role.userClaim,
    user_claim_json_pointer: false,
    verbose_oidc_logging: false,
  };
}

/** Vault's convention: 0 is its default, a negative number is none. */
function leeway(fields: Fields, name: string, present = 0): number {
  const value = fields.get(name);
  if (value === -1 || value === '-1' || value === '-1s') return -1;
  return fields.seconds(name) ?? present;
}

function readBoundClaims(fields: Fields): Record<string, string[]> | undefined {
  const claims = fields.record('bound_claims');
  if (claims === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [name, (Array.isArray(value) ? value : [value]).map(String)]),
  );
}
