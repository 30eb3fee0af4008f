import type { Fields } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';

export interface PkiRole {
  readonly allowedDomains: readonly string[];
  readonly allowBareDomains: boolean;
  readonly allowSubdomains: boolean;
  readonly allowGlobDomains: boolean;
  readonly allowWildcards: boolean;
  readonly allowAnyName: boolean;
  readonly allowLocalhost: boolean;
  readonly enforceHostnames: boolean;
  readonly allowIpSans: boolean;
  readonly allowedUriSans: readonly string[];
  readonly requireCommonName: boolean;
  readonly keyType: 'ec' | 'rsa';
  readonly keyBits: number;
  readonly serverUsage: boolean;
  readonly clientUsage: boolean;
  readonly notBeforeSeconds: number;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
}

/** Settings that would change what a certificate says; one that is not understood must not be passed over. */
const UNSUPPORTED = [
  'organization',
  'ou',
  'country',
  'locality',
  'province',
  'street_address',
  'postal_code',
  'policy_identifiers',
  'ext_key_usage',
  'ext_key_usage_oids',
  'allowed_other_sans',
  'allowed_serial_numbers',
  'allowed_user_ids',
  'generate_lease',
  'not_after',
  'code_signing_flag',
  'email_protection_flag',
  'allowed_domains_template',
  'allowed_uri_sans_template',
  'allow_token_displayname',
] as const;

const DEFAULTS: PkiRole = {
  allowedDomains: [],
  allowBareDomains: false,
  allowSubdomains: false,
  allowGlobDomains: false,
  allowWildcards: true,
  allowAnyName: false,
  allowLocalhost: true,
  enforceHostnames: true,
  allowIpSans: true,
  allowedUriSans: [],
  requireCommonName: true,
  keyType: 'rsa',
  keyBits: 0,
  serverUsage: true,
  clientUsage: true,
  notBeforeSeconds: 30,
  ttlSeconds: 0,
  maxTtlSeconds: 0,
};

/** A write replaces the whole role, as it does in Vault. */
export function readPkiRole(fields: Fields): PkiRole {
  for (const name of UNSUPPORTED) {
    const value = fields.get(name);
    const empty =
      value === undefined ||
      value === null ||
      value === '' ||
      value === false ||
      (Array.isArray(value) && value.length === 0);
    if (!empty) throw invalid(`"${name}" is not supported`);
  }
  const keyType = fields.text('key_type') ?? DEFAULTS.keyType;
  if (keyType !== 'ec' && keyType !== 'rsa') throw invalid(`key_type "${keyType}" is not supported`);
  const keyBits = fields.integer('key_bits') ?? 0;
  if (![0, ...(keyType === 'ec' ? [256, 384] : [2048])].includes(keyBits))
    throw invalid(`key_bits ${keyBits} is not supported for ${keyType}`);
  const role: PkiRole = {
    allowedDomains: fields.list('allowed_domains') ?? [],
    allowBareDomains: fields.flag('allow_bare_domains') ?? DEFAULTS.allowBareDomains,
    allowSubdomains: fields.flag('allow_subdomains') ?? DEFAULTS.allowSubdomains,
    allowGlobDomains: fields.flag('allow_glob_domains') ?? DEFAULTS.allowGlobDomains,
    allowWildcards: fields.flag('allow_wildcard_certificates') ?? DEFAULTS.allowWildcards,
    allowAnyName: fields.flag('allow_any_name') ?? DEFAULTS.allowAnyName,
    allowLocalhost: fields.flag('allow_localhost') ?? DEFAULTS.allowLocalhost,
    enforceHostnames: fields.flag('enforce_hostnames') ?? DEFAULTS.enforceHostnames,
    allowIpSans: fields.flag('allow_ip_sans') ?? DEFAULTS.allowIpSans,
    allowedUriSans: fields.list('allowed_uri_sans') ?? [],
    requireCommonName: fields.flag('require_cn') ?? DEFAULTS.requireCommonName,
    keyType,
    keyBits: keyBits || (keyType === 'ec' ? 256 : 2048),
    serverUsage: fields.flag('server_flag') ?? DEFAULTS.serverUsage,
    clientUsage: fields.flag('client_flag') ?? DEFAULTS.clientUsage,
    notBeforeSeconds: fields.seconds('not_before_duration') ?? DEFAULTS.notBeforeSeconds,
    ttlSeconds: fields.seconds('ttl') ?? 0,
    maxTtlSeconds: fields.seconds('max_ttl') ?? 0,
  };
  if (role.maxTtlSeconds > 0 && role.ttlSeconds > role.maxTtlSeconds)
    throw invalid('"ttl" value must be less than "max_ttl" value');
  return role;
}

export function describePkiRole(role: PkiRole): Record<string, unknown> {
  return {
    allow_any_name: role.allowAnyName,
    allow_bare_domains: role.allowBareDomains,
    allow_glob_domains: role.allowGlobDomains,
    allow_ip_sans: role.allowIpSans,
    allow_localhost: role.allowLocalhost,
    allow_subdomains: role.allowSubdomains,
    allow_wildcard_certificates: role.allowWildcards,
    allowed_domains: role.allowedDomains,
    allowed_uri_sans: role.allowedUriSans,
    client_flag: role.clientUsage,
    enforce_hostnames: role.enforceHostnames,
    ext_key_usage: [],
    generate_lease: false,
    issuer_ref: 'default',
    key_bits: role.keyBits,
    key_type: role.keyType,
    key_usage: ['DigitalSignature', 'KeyAgreement', 'KeyEncipherment'],
    max_ttl: role.maxTtlSeconds,
    no_store: false,
    not_before_duration: role.notBeforeSeconds,
    organization: [],
    ou: [],
    require_cn: role.requireCommonName,
    server_flag: role.serverUsage,
    ttl: role.ttlSeconds,
    use_csr_common_name: true,
    use_csr_sans: true,
  };
}
