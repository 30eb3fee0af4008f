import { isIP } from 'node:net';
import type { Fields } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';
import type { PkiRole } from './pki-role.ts';

export interface CertificateNames {
  readonly commonName: string | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly uris: readonly string[];
}

const HOST_NAME =
  /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*\.?$/i;

/** The names that are asked for, if the role allows every one of them. */
export function readNames(fields: Fields, role: PkiRole, asked: Partial<CertificateNames> = {}): CertificateNames {
  const commonName = fields.text('common_name') || asked.commonName;
  if (commonName === undefined && role.requireCommonName) {
    throw invalid(
      'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
    );
  }
  if (commonName !== undefined && !allowsHost(role, commonName)) {
    throw invalid(`common name ${commonName} not allowed by this role`);
  }
  const dnsNames = new Set([...(fields.list('alt_names') ?? []), ...(asked.dnsNames ?? [])]);
  for (const name of dnsNames) {
    if (!allowsHost(role, name)) throw invalid(`subject alternate name ${name} not allowed by this role`);
  }
  const ipAddresses = [...(fields.list('ip_sans') ?? []), ...(asked.ipAddresses ?? [])];
  if (ipAddresses.length > 0 && !role.allowIpSans) {
    throw invalid('IP Subject Alternative Names are not allowed in this role, but were provided');
  }
  for (const address of ipAddresses)
    if (isIP(address) === 0) throw invalid(`the value "${address}" is not a valid IP address`);
  const uris = [...(fields.list('uri_sans') ?? []), ...(asked.uris ?? [])];
  for (const uri of uris) {
    if (!URL.canParse(uri) || !role.allowedUriSans.some((pattern) => matchesGlob(uri, pattern))) {
      throw invalid('URI Subject Alternative Names were provided via the API which are not valid for this role');
    }
  }
  if (fields.list('other_sans')?.length) throw invalid('"other_sans" is not supported');
  const withCommonName =
    fields.flag('exclude_cn_from_sans') !== true && commonName !== undefined && HOST_NAME.test(commonName);
  return {
    commonName,
    dnsNames: [...new Set(withCommonName ? [commonName, ...dnsNames] : dnsNames)],
    ipAddresses,
    uris,
  };
}

function allowsHost(role: PkiRole, name: string): boolean {
  if (role.enforceHostnames && !HOST_NAME.test(name)) return false;
  if (name.startsWith('*.') && !role.allowWildcards) return false;
  if (role.allowAnyName) return true;
  const host = name.toLowerCase();
  if (role.allowLocalhost && (host === 'localhost' || host === 'localdomain')) return true;
  return role.allowedDomains.some((allowed) => {
    const domain = allowed.toLowerCase();
    if (role.allowBareDomains && host === domain) return true;
    if (role.allowSubdomains && host.endsWith(`.${domain}`)) return true;
    return role.allowGlobDomains && domain.includes('*') && matchesGlob(host, domain);
  });
}

function matchesGlob(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
