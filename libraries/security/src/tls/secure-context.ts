import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { X509Svid } from '../spiffe/index.ts';

/**
 * The one set of TLS settings. OpenSSL is given no authorities: it would join those of all trust domains into one pool.
 * There are no tickets: a resumed session shows no certificate chain and so nothing to verify. TLS 1.3 only, because an
 * older session can be renegotiated to another certificate.
 */
export function secureContextOptions(svid: X509Svid): SecureContextOptions {
  return {
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem(),
    ca: [],
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

const clientContexts = new WeakMap<X509Svid, SecureContext>();

/** Built once an SVID: it costs about a millisecond. */
export function clientContext(svid: X509Svid): SecureContext {
  const existing = clientContexts.get(svid);
  if (existing !== undefined) return existing;
  const context = createSecureContext(secureContextOptions(svid));
  clientContexts.set(svid, context);
  return context;
}
