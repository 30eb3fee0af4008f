import { parseCertificate } from '../../certificate/certificate.ts';
import { certificatePublicKey } from '../../certificate/signature.ts';
import type { JwtKey } from '../jwt/jwt-bundle.ts';
import type { SpiffeBundle } from './spiffe-bundle.ts';

/**
 * The document that `parseSpiffeBundle` reads, with nothing in it that the specifications do not define.
 * @throws TypeError for a JWT key without `kid`, which others could not use (JWT-SVID, 6.1)
 */
export function encodeSpiffeBundle({ sequence, refreshHintSeconds, x509, jwt }: SpiffeBundle): string {
  const members = [
    // Not through JSON.stringify: the number may be longer than a double holds.
    ...(sequence === undefined ? [] : [`"spiffe_sequence":${sequence}`]),
    ...(refreshHintSeconds === undefined ? [] : [`"spiffe_refresh_hint":${refreshHintSeconds}`]),
    `"keys":${JSON.stringify([...x509.authorities.map(x509Jwk), ...jwt.keys.map(jwtJwk)])}`,
  ];
  return `{${members.join(',')}}`;
}

/** X509-SVID, 6.1: one certificate, no `kid`. */
function x509Jwk(der: Uint8Array): object {
  const key = certificatePublicKey(parseCertificate(der)).export({ format: 'jwk' });
  return { use: 'x509-svid', ...key, x5c: [Buffer.from(der).toString('base64')] };
}

/** B-08: neither specification defines `alg`, so it is left out. */
function jwtJwk({ kid, publicKey }: JwtKey): object {
  if (kid === undefined) throw new TypeError('bundle.jwt holds a key without kid, which cannot be published');
  return { use: 'jwt-svid', kid, ...publicKey.export({ format: 'jwk' }) };
}
