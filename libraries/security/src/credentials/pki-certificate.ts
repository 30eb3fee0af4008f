import { X509Certificate } from 'node:crypto';
import type { Clock, Random } from '../common/index.ts';
import type { IssuedCertificate, PkiRequest, VaultClient } from '../vault/index.ts';
import type { CredentialProvider, Issued } from './credential.ts';
import { whenDue } from './due-timer.ts';

export interface PkiCertificateOptions extends Omit<PkiRequest, 'signal'> {
  /** Default `pki`. */
  readonly mount?: string;
  /**
   * Gets one certificate with its key. Default: the engine makes both. Where the engine signs requests, one that makes the
   * key in this process keeps it from travelling.
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
  const { mount = 'pki', revoke = false, clock, random, issue, ...request } = options;
  const issueOne = issue ?? client.pki(mount).issue;
  const times = { ...(clock && { clock }), ...(random && { random }) };
  const revokeOne = async (serialNumber: string): Promise<void> => {
    if (!revoke) return;
    const body = { serial_number: serialNumber };
    await client.request({ method: 'POST', path: `${mount}/revoke`, body, operation: 'pki.revoke', safe: true });
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
