import type { Fields } from '../../api/fields.ts';
import { invalid } from '../../fault.ts';

export interface KubernetesConfig {
  readonly host: string;
  readonly caPem: string;
  readonly reviewerToken: string;
  readonly disableLocalCaJwt: boolean;
}

export function readKubernetesConfig(fields: Fields): KubernetesConfig {
  const host = fields.text('kubernetes_host') ?? '';
  if (host === '') throw invalid('no host provided');
  if (!URL.canParse(host) || new URL(host).protocol !== 'https:') throw invalid('kubernetes_host must be an https URL');
  const caPem = fields.text('kubernetes_ca_cert') ?? '';
  const disableLocalCaJwt = fields.flag('disable_local_ca_jwt') ?? false;
  if (caPem === '' && disableLocalCaJwt)
    throw invalid('kubernetes_ca_cert must be given when disable_local_ca_jwt is true');
  if ((fields.texts('pem_keys') ?? []).length > 0) throw invalid('"pem_keys" is not supported');
  if ((fields.text('issuer') ?? '') !== '') throw invalid('"issuer" is not supported');
  return {
    host: host.replace(/\/+$/, ''),
    caPem,
    reviewerToken: fields.text('token_reviewer_jwt') ?? '',
    disableLocalCaJwt,
  };
}

export function describeKubernetesConfig(config: KubernetesConfig): Record<string, unknown> {
  return {
    disable_iss_validation: true,
    disable_local_ca_jwt: config.disableLocalCaJwt,
    issuer: '',
    kubernetes_ca_cert: config.caPem,
    kubernetes_host: config.host,
    pem_keys: [],
    token_reviewer_jwt_set: config.reviewerToken !== '',
  };
}
