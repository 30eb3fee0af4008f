export { type DistinguishedName, distinguishedName, type SubjectNames } from '../encoding/certificate-names.ts';
export { der, derImplicit, derOid, derSequence, derSmallInteger } from '../encoding/der-writer.ts';
export { CertificateAuthority } from './certificate-authority.ts';
export type {
  CertificateAuthorityOptions,
  CertificateAuthorityState,
  IntermediateRequest,
  IssuedCertificate,
  JwtSvidRequest,
  PublicKeyRequest,
  SignedCertificate,
  TlsCertificateRequest,
  X509SvidRequest,
} from './certificate-authority-options.ts';
export {
  authorityKeyIdentifier,
  basicConstraints,
  extendedKeyUsage,
  extension,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from './certificate-extensions.ts';
export { type CertificateRequest, parseCertificateRequest } from './certificate-request.ts';
export { type CertificateTemplate, type SigningHash, signCertificate } from './certificate-template.ts';
export { FakeClock } from './fake-clock.ts';
export { FixedIdentity, x509SvidOf } from './fixed-identity.ts';
export { JwtSigner, type JwtSignerAlgorithm } from './jwt-signer.ts';
export { generateKeyPair, type KeyPair, type KeyType } from './key-type.ts';
export { type LeaseFleetOptions, type LeaseFleetReport, simulateLeaseFleet } from './lease-fleet.ts';
export { holdLeases, type LeaseLoadOptions, type LeaseLoadReport } from './lease-load.ts';
export { WitIssuer, type WitIssuerOptions } from './wit-issuer.ts';
export { type WorkloadApiFaults, WorkloadApiServer, type WorkloadApiServerOptions } from './workload-api-server.ts';
export { type FederatedBundles, WorkloadIssuer, type WorkloadIssuerOptions } from './workload-issuer.ts';
