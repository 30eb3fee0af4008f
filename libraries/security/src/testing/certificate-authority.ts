import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { type Clock, systemClock } from '../common/index.ts';
import { distinguishedName } from '../encoding/certificate-names.ts';
import { encodePem, parsePem } from '../encoding/index.ts';
import { parseCertificate } from '../spiffe/certificate/certificate.ts';
import { type JwtBundle, parseJwtBundle, TrustDomain, type X509Bundle } from '../spiffe/index.ts';
import type {
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
import {
  authorityKeyIdentifier,
  basicConstraints,
  extendedKeyUsage,
  hasNames,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from './certificate-extensions.ts';
import { type CertificateRequest, parseCertificateRequest } from './certificate-request.ts';
import { type CertificateTemplate, randomSerialNumber, signCertificate } from './certificate-template.ts';
import { JwtSigner } from './jwt-signer.ts';
import { generateKeyPair } from './key-type.ts';

const TEN_YEARS_SECONDS = 10 * 365 * 24 * 3600;
const BACKDATE_MS = 10_000;

/** Issues the certificates and tokens of one trust domain, for tests and for the development authority. */
export class CertificateAuthority {
  readonly trustDomain: TrustDomain;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  /** DER, from the own certificate up to the root. */
  readonly #chain: readonly Uint8Array[];
  readonly #subject: Uint8Array;
  readonly #clock: Clock;
  #jwtSigners: readonly JwtSigner[];

  private constructor(
    trustDomain: TrustDomain,
    privateKey: KeyObject,
    chain: readonly Uint8Array[],
    jwtSigners: readonly JwtSigner[],
    clock: Clock,
  ) {
    const [own] = chain;
    if (own === undefined) throw new TypeError('chain must hold the certificate of the authority');
    this.trustDomain = trustDomain;
    this.#privateKey = privateKey;
    this.#publicKey = createPublicKey(privateKey);
    this.#chain = chain;
    this.#subject = parseCertificate(own).subject;
    this.#jwtSigners = jwtSigners;
    this.#clock = clock;
  }

  /** A new self-signed root that may also sign tokens. */
  static create(trustDomain: string, options: CertificateAuthorityOptions = {}): CertificateAuthority {
    const { clock = systemClock, ttlSeconds = TEN_YEARS_SECONDS, keyType, jwtAlgorithm = 'ES256' } = options;
    const domain = TrustDomain.parse(trustDomain);
    const keys = generateKeyPair(keyType);
    const subject = distinguishedName({
      organization: 'SPIFFE',
      commonName: options.commonName ?? `${trustDomain} authority`,
    });
    const notBeforeMs = clock.now() - BACKDATE_MS;
    const root = signCertificate(
      {
        issuer: subject,
        subject,
        notBeforeMs,
        notAfterMs: clock.now() + ttlSeconds * 1000,
        publicKey: keys.publicKey,
        extensions: authorityExtensions(domain, keys.publicKey, undefined),
      },
      keys.privateKey,
    );
    return new CertificateAuthority(domain, keys.privateKey, [root], [JwtSigner.generate(jwtAlgorithm)], clock);
  }

  static import(state: CertificateAuthorityState, options: { readonly clock?: Clock } = {}): CertificateAuthority {
    return new CertificateAuthority(
      TrustDomain.parse(state.trustDomain),
      createPrivateKey(state.privateKeyPem),
      parsePem(state.chainPem).map(({ bytes }) => bytes),
      state.jwtKeys.map(JwtSigner.import),
      options.clock ?? systemClock,
    );
  }

  export(): CertificateAuthorityState {
    return {
      trustDomain: this.trustDomain.name,
      privateKeyPem: this.#privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      chainPem: toPem(this.#chain),
      jwtKeys: this.#jwtSigners.map((signer) => signer.export()),
    };
  }

  /** The authority's own certificate, PEM. */
  get certificatePem(): string {
    return toPem(this.#chain.slice(0, 1));
  }

  /** The root above this authority, PEM; the authority itself unless it is an intermediate. */
  get rootPem(): string {
    return toPem(this.#chain.slice(-1));
  }

  /** The root of the trust domain. */
  bundle(): X509Bundle {
    return { trustDomain: this.trustDomain, authorities: this.#chain.slice(-1) };
  }

  issueX509Svid(request: X509SvidRequest): IssuedCertificate {
    const { publicKey, privateKey } = generateKeyPair(request.keyType);
    const names = { uris: [request.id], dnsNames: request.dnsNames ?? [] };
    const subject = distinguishedName({ organization: 'SPIFFE' });
    const extensions = leafExtensions(names, ['serverAuth', 'clientAuth'], false, publicKey, this.#publicKey);
    return { ...this.#sign({ subject, publicKey, extensions, ...request.template }, request), privateKey };
  }

  /** A certificate and a new key for a plain TLS server or client. */
  issueTlsCertificate(request: TlsCertificateRequest): IssuedCertificate {
    const { publicKey, privateKey } = generateKeyPair(request.keyType);
    return { ...this.signPublicKey({ ...request, publicKey }), privateKey };
  }

  /** A certificate for a key that the caller holds. */
  signPublicKey(request: PublicKeyRequest): SignedCertificate {
    const { publicKey, usages = ['serverAuth', 'clientAuth'] } = request;
    const commonName = request.commonName ?? request.dnsNames?.[0];
    const subject = distinguishedName(commonName === undefined ? {} : { commonName });
    const extensions = leafExtensions(request, usages, commonName === undefined, publicKey, this.#publicKey);
    return this.#sign({ subject, publicKey, extensions }, request);
  }

  /**
   * A certificate for the key of a PKCS#10 request in PEM or DER. What the request asks for counts only through
   * `decide`: the caller says which names it grants.
   */
  signRequest(
    request: string | Uint8Array,
    decide: (asked: CertificateRequest) => Omit<PublicKeyRequest, 'publicKey'>,
  ): SignedCertificate {
    const asked = parseCertificateRequest(request);
    return this.signPublicKey({ ...decide(asked), publicKey: asked.publicKey });
  }

  /** An authority below this one, with the same root and its own JWT key. */
  issueIntermediate(request: IntermediateRequest): CertificateAuthority {
    const keys = generateKeyPair(request.keyType);
    const { certificates } = this.#sign(
      {
        subject: distinguishedName({ organization: 'SPIFFE', commonName: request.commonName }),
        publicKey: keys.publicKey,
        extensions: [
          ...authorityExtensions(this.trustDomain, keys.publicKey, request.pathLength ?? 0),
          authorityKeyIdentifier(this.#publicKey),
        ],
        ...request.template,
      },
      request,
    );
    const own = certificates.slice(0, 1);
    const signers = [JwtSigner.generate(this.#jwtSigner().algorithm)];
    return new CertificateAuthority(this.trustDomain, keys.privateKey, [...own, ...this.#chain], signers, this.#clock);
  }

  issueJwtSvid(request: JwtSvidRequest): string {
    const issuedAt = Math.floor((request.issuedAtMs ?? this.#clock.now()) / 1000);
    const claims = {
      sub: request.id,
      aud: typeof request.audience === 'string' ? [request.audience] : request.audience,
      iat: issuedAt,
      exp: issuedAt + request.ttlSeconds,
      ...(request.issuer === undefined ? {} : { iss: request.issuer }),
      ...request.claims,
    };
    return this.#jwtSigner().sign(claims, request.header);
  }

  /** Signs from now on with a new key; tokens of the older ones stay verifiable. */
  rotateJwtKey(): void {
    this.#jwtSigners = [JwtSigner.generate(this.#jwtSigner().algorithm), ...this.#jwtSigners];
  }

  /** The JWK set of every JWT key, as UTF-8 JSON. */
  jwks(): Uint8Array {
    return Buffer.from(JSON.stringify({ keys: this.#jwtSigners.map((signer) => signer.jwk()) }));
  }

  jwtBundle(): JwtBundle {
    return parseJwtBundle(this.trustDomain, this.jwks());
  }

  #jwtSigner(): JwtSigner {
    const [signer] = this.#jwtSigners;
    if (signer === undefined) throw new TypeError('jwtKeys must hold at least one key');
    return signer;
  }

  #sign(
    fields: Pick<CertificateTemplate, 'subject' | 'publicKey' | 'extensions'> & Partial<CertificateTemplate>,
    { ttlSeconds, notBeforeMs = this.#clock.now() - BACKDATE_MS }: { ttlSeconds: number; notBeforeMs?: number },
  ): SignedCertificate {
    const notAfterMs = this.#clock.now() + ttlSeconds * 1000;
    const serialNumber = randomSerialNumber();
    const template = { issuer: this.#subject, notBeforeMs, notAfterMs, serialNumber, ...fields };
    const certificates = [signCertificate(template, this.#privateKey), ...this.#chain.slice(0, -1)];
    return {
      certificates,
      certificateChainPem: toPem(certificates),
      serialNumber: Buffer.from(template.serialNumber).toString('hex'),
      notBeforeMs: wholeSeconds(template.notBeforeMs),
      notAfterMs: wholeSeconds(template.notAfterMs),
    };
  }
}

function authorityExtensions(domain: TrustDomain, publicKey: KeyObject, pathLength: number | undefined): Uint8Array[] {
  return [
    basicConstraints(true, pathLength),
    keyUsage(['keyCertSign', 'cRLSign']),
    // X509-SVID, 3.2: the ID of an authority has no path.
    subjectAltName({ uris: [domain.id.toString()] }, false),
    subjectKeyIdentifier(publicKey),
  ];
}

function leafExtensions(
  names: Parameters<typeof subjectAltName>[0],
  usages: readonly ('serverAuth' | 'clientAuth')[],
  emptySubject: boolean,
  publicKey: KeyObject,
  issuerKey: KeyObject,
): Uint8Array[] {
  return [
    keyUsage(['digitalSignature', 'keyEncipherment', 'keyAgreement']),
    extendedKeyUsage(usages),
    basicConstraints(false),
    subjectKeyIdentifier(publicKey),
    authorityKeyIdentifier(issuerKey),
    ...(hasNames(names) ? [subjectAltName(names, emptySubject)] : []),
  ];
}

function toPem(certificates: readonly Uint8Array[]): string {
  return certificates.map((certificate) => encodePem('CERTIFICATE', certificate)).join('');
}

/** Certificates hold no milliseconds. */
function wholeSeconds(epochMs: number): number {
  return Math.floor(epochMs / 1000) * 1000;
}
