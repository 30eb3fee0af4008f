import { X509Certificate } from 'node:crypto';
import type { Clock, Random } from '../common/index.ts';
import type { IssuedCertificate, PkiKeyType, PkiRequest, VaultClient } from '../vault/index.ts';
import type { CredentialProvider, Issued } from './credential.ts';
import { whenDue } from './due-timer.ts';

export interface PkiCertificateOptions extends Omit<PkiRequest, 'signal'> {
  /** Default `pki`. */
  readonly mount?: string;
  /** Of the key that is made for each certificate. Default `ec-p256`; the role must allow it. */
  readonly keyType?: PkiKeyType;
  /**
   * Gets one certificate with its key. Default: the key is made in this process and the engine signs a request for it
   * (`<mount>/sign/<role>`), so that it never travels. Where a policy allows nothing but `<mount>/issue/<role>`, give
   * `client.pki(mount).issue`: the engine then makes the key and sends it.
   */
  readonly issue?: (role: string, request: PkiRequest) => Promise<IssuedCertificate>;
  /** Whether a certificate that was replaced is revoked. Default false: it ends soon, and the list of revoked ones grows. */
  readonly revoke?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A certificate of the PKI engine, issued anew at a drawn point of its life. */
export function pkiCertificate(
  client: VaultClient,
  role: string,
  options: PkiCertificateOptions,
): CredentialProvider<IssuedCertificate> {
  const { mount = 'pki', revoke = false, keyType = 'ec-p256', clock, random, issue, ...request } = options;
  const engine = client.pki(mount);
  const issueOne = issue ?? ((name: string, asked: PkiRequest) => engine.issueForOwnKey(name, { ...asked, keyType }));
  const times = { ...(clock && { clock }), ...(random && { random }) };
  const revokeOne = async (serialNumber: string): Promise<void> => {
    if (revoke) await engine.revoke(serialNumber);
  };
  return {
    name: `${mount}/${role}`,
    async obtain({ signal, first, reserveMs }): Promise<Issued<IssuedCertificate>> {
      const value = await issueOne(role, { ...request, signal });
      const { expiresAtMs, serialNumber } = value;
      const issuedAtMs = Date.parse(new X509Certificate(value.certificatePem).validFrom);
      return {
        value,
        issuedAtMs,
        expiresAtMs,
        revoke: () => revokeOne(serialNumber),
        onSuperseded: (listener) => whenDue({ issuedAtMs, expiresAtMs }, { first, reserveMs, ...times }, listener),
      };
    },
  };
}
