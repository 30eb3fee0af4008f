import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { messageOf } from '@neural-hive/security/common';
import {
  CertificateAuthority,
  type CertificateAuthorityState,
  type SignedCertificate,
} from '@neural-hive/security/testing';
import type { Answer, Backend, Call, Route } from '../../api/route.ts';
import { Fault, invalid, notFound } from '../../fault.ts';
import { grantTtl } from '../../lease/ttl.ts';
import type { Mount } from '../../mount-table.ts';
import type { Parts } from '../../parts.ts';
import { generateIssuer, importIssuer, serialOf, withColons } from './pki-issuer.ts';
import { readNames } from './pki-names.ts';
import { describePkiRole, type PkiRole, readPkiRole } from './pki-role.ts';

interface StoredCertificate {
  readonly pem: string;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | null;
}

interface Saved {
  readonly issuer: CertificateAuthorityState | null;
  readonly roles: Record<string, PkiRole>;
  readonly certificates: Record<string, StoredCertificate>;
}

const PEM_TYPE = 'application/pem-certificate-chain';

/** `pki/`: one issuer, roles, certificates. There is no CRL and no OCSP: what it issues is short-lived. */
export function pkiBackend(parts: Parts, mount: Mount, saved: unknown): Backend {
  const { clock, trustDomain } = parts;
  const state = (saved ?? { issuer: null, roles: {}, certificates: {} }) as Saved;
  let issuer = state.issuer === null ? null : CertificateAuthority.import(state.issuer, { clock });
  const roles = new Map(Object.entries(state.roles));
  const certificates = new Map(Object.entries(state.certificates));

  const theIssuer = (): CertificateAuthority => {
    if (issuer === null) throw invalid('no default issuer currently configured');
    return issuer;
  };
  /** Own certificate up to the root, for clients that build the chain. */
  const chain = (): string[] => [
    ...new Set([theIssuer().certificatePem, theIssuer().rootPem].map((pem) => pem.trim())),
  ];
  const install = (made: CertificateAuthority): Record<string, unknown> => {
    issuer = made;
    const pem = made.certificatePem.trim();
    const serial = serialOf(pem);
    const expiresAtMs = Date.parse(new X509Certificate(pem).validTo);
    certificates.set(serial, { pem, expiresAtMs, revokedAtMs: null });
    return { certificate: pem, issuing_ca: pem, serial_number: serial, expiration: Math.floor(expiresAtMs / 1000) };
  };
  const generate = (call: Call): Answer => {
    if (issuer !== null) throw invalid('there is a root already: delete it first');
    const made = generateIssuer(call.fields, trustDomain, mount.settings.maxTtlSeconds, clock);
    const exported =
      call.params.kind === 'exported'
        ? { private_key: made.export().privateKeyPem.trim(), private_key_type: keyTypeOf(made) }
        : {};
    if (call.params.kind !== 'exported' && call.params.kind !== 'internal')
      throw invalid('only "internal" and "exported" are supported');
    return { data: { ...install(made), ...exported } };
  };

  const ttlOf = (call: Call, role: PkiRole): { ttlSeconds: number; warnings: readonly string[] } => {
    const asked = call.fields.seconds('ttl') || role.ttlSeconds;
    const granted = grantTtl({ ttlSeconds: asked, maxTtlSeconds: role.maxTtlSeconds }, mount.settings);
    const issuerEndsMs = Date.parse(new X509Certificate(theIssuer().certificatePem).validTo);
    if (clock.now() + granted.ttlSeconds * 1000 > issuerEndsMs) {
      throw invalid(
        'cannot satisfy request, as TTL would result in notAfter that is beyond the expiration of the CA certificate',
      );
    }
    return granted;
  };
  const describe = (signed: SignedCertificate): Record<string, unknown> => {
    const [leaf = '', ...above] =
      signed.certificateChainPem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
    const serial = withColons(signed.serialNumber);
    for (const [key, { expiresAtMs }] of certificates) if (expiresAtMs < clock.now()) certificates.delete(key);
    certificates.set(serial, { pem: leaf, expiresAtMs: signed.notAfterMs, revokedAtMs: null });
    return {
      ca_chain: [...new Set([...above, ...chain()])],
      certificate: leaf,
      expiration: Math.floor(signed.notAfterMs / 1000),
      issuing_ca: theIssuer().certificatePem.trim(),
      not_before: Math.floor(signed.notBeforeMs / 1000),
      serial_number: serial,
    };
  };
  const roleOf = (call: Call): PkiRole => {
    const role = roles.get(call.params.name ?? '');
    if (role === undefined) throw invalid(`unknown role: ${call.params.name}`);
    return role;
  };
  const common = (role: PkiRole, ttlSeconds: number) => ({
    ttlSeconds,
    notBeforeMs: clock.now() - role.notBeforeSeconds * 1000,
    usages: [
      ...(role.serverUsage ? (['serverAuth'] as const) : []),
      ...(role.clientUsage ? (['clientAuth'] as const) : []),
    ],
  });

  const issue = (call: Call): Answer => {
    const role = roleOf(call);
    const { commonName, ...names } = readNames(call.fields, role);
    const { ttlSeconds, warnings } = ttlOf(call, role);
    const keyType = role.keyType === 'rsa' ? 'rsa-2048' : role.keyBits === 384 ? 'ec-p384' : 'ec-p256';
    const issued = theIssuer().issueTlsCertificate({
      ...names,
      ...(commonName === undefined ? {} : { commonName }),
      ...common(role, ttlSeconds),
      keyType,
    });
    const privateKey = exportKey(issued.privateKey, call.fields.text('private_key_format') ?? 'der');
    const data = describe(issued);
    const bundle =
      call.fields.text('format') === 'pem_bundle'
        ? { certificate: [privateKey, data.certificate, ...(data.ca_chain as string[])].join('\n') }
        : {};
    return { data: { ...data, ...bundle, private_key: privateKey, private_key_type: role.keyType }, warnings };
  };
  const signRequest = (call: Call): Answer => {
    const role = roleOf(call);
    const { ttlSeconds, warnings } = ttlOf(call, role);
    try {
      const signed = theIssuer().signRequest(call.fields.text('csr') ?? '', (asked) => {
        const { commonName, ...names } = readNames(call.fields, role, { ...asked.names, commonName: asked.commonName });
        return { ...names, ...(commonName === undefined ? {} : { commonName }), ...common(role, ttlSeconds) };
      });
      return { data: describe(signed), warnings };
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw invalid(`certificate request could not be parsed: ${messageOf(error)}`);
    }
  };
  const revoke = (call: Call): Answer => {
    const serial = (call.fields.text('serial_number') ?? '').replaceAll('-', ':').toLowerCase();
    if (serial === '') throw invalid('Must provide a serial_number');
    const found = certificates.get(serial);
    if (found === undefined) throw invalid(`certificate with serial ${serial} not found.`);
    const revokedAtMs = found.revokedAtMs ?? clock.now();
    certificates.set(serial, { ...found, revokedAtMs });
    return { data: { ...revocationOf(revokedAtMs), state: 'revoked' } };
  };
  const certificate = ({ params }: Call): Answer => {
    const name = (params.serial ?? '').replaceAll('-', ':').toLowerCase();
    if (name === 'ca') return { data: { certificate: theIssuer().certificatePem.trim(), ...revocationOf(null) } };
    if (name === 'ca_chain')
      return { data: { ca_chain: chain().join('\n'), certificate: chain().join('\n'), ...revocationOf(null) } };
    const found = certificates.get(name);
    if (found === undefined) throw notFound();
    return { data: { certificate: found.pem, ...revocationOf(found.revokedAtMs) } };
  };

  /** Vault answers 204 as long as there is nothing to publish. */
  const published = (contentType: string, body: () => string | Buffer): Answer =>
    issuer === null ? { status: 204 } : { raw: { contentType, body: body() } };

  const routes: Route[] = [
    { path: 'root/generate/:kind', write: generate },
    {
      path: 'config/ca',
      write: ({ fields }) => ({ data: install(importIssuer(fields.text('pem_bundle') ?? '', trustDomain, clock)) }),
    },
    {
      path: 'root',
      sudo: true,
      delete: () => {
        issuer = null;
        return {};
      },
    },
    { path: 'issue/:name', write: issue },
    { path: 'sign/:name', write: signRequest },
    { path: 'revoke', write: revoke },
    {
      path: 'ca',
      open: true,
      read: () => published('application/pkix-cert', () => new X509Certificate(theIssuer().certificatePem).raw),
    },
    { path: 'ca/pem', open: true, read: () => published(PEM_TYPE, () => theIssuer().certificatePem.trim()) },
    { path: 'ca_chain', open: true, read: () => published(PEM_TYPE, () => chain().join('\n')) },
    { path: 'cert/:serial', open: true, read: certificate },
    { path: 'certs', list: () => ({ data: { keys: [...certificates.keys()].sort() } }) },
    {
      path: 'roles/:name',
      read: ({ params }) => {
        const role = roles.get(params.name ?? '');
        if (role === undefined) throw notFound();
        return { data: describePkiRole(role) };
      },
      write: ({ params, fields }) => {
        const role = readPkiRole(fields);
        roles.set(params.name ?? '', role);
        return { data: describePkiRole(role) };
      },
      delete: ({ params }) => {
        roles.delete(params.name ?? '');
        return {};
      },
    },
    {
      path: 'roles',
      list: () => {
        if (roles.size === 0) throw notFound();
        return { data: { keys: [...roles.keys()].sort() } };
      },
    },
  ];
  return {
    routes,
    save: (): Saved => ({
      issuer: issuer?.export() ?? null,
      roles: Object.fromEntries(roles),
      certificates: Object.fromEntries(certificates),
    }),
  };
}

function keyTypeOf(authority: CertificateAuthority): string {
  return createPrivateKey(authority.export().privateKeyPem).asymmetricKeyType === 'rsa' ? 'rsa' : 'ec';
}

function revocationOf(atMs: number | null): Record<string, unknown> {
  return {
    revocation_time: atMs === null ? 0 : Math.floor(atMs / 1000),
    revocation_time_rfc3339: atMs === null ? '' : new Date(atMs).toISOString(),
  };
}

/** `der` is Vault's name for the traditional format of the key's type. */
function exportKey(key: KeyObject, format: string): string {
  if (format === 'pkcs8') return key.export({ type: 'pkcs8', format: 'pem' }).toString().trim();
  const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
  return key.export({ type, format: 'pem' }).toString().trim();
}
