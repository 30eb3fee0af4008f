import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type ClientRules, ownSvid, type ShownCertificate, type WebPki } from './rules.ts';

/**
 * The one set of TLS settings. OpenSSL is given no authorities: it would join those of all trust domains into one pool.
 * There are no tickets: a resumed session shows no certificate chain and so nothing to verify. TLS 1.3 only, because an
 * older session can be renegotiated to another certificate.
 */
export function secureContextOptions(shown?: ShownCertificate): SecureContextOptions {
  return {
    ...(shown === undefined ? {} : { cert: shown.certificateChainPem, key: shown.privateKeyPem() }),
    ca: [],
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Stands for "shows no certificate" and "no name of the web", so that one map holds every kind of context. */
const NOTHING = {};
const clientContexts = new WeakMap<object, WeakMap<object, SecureContext>>();

/** Built once an SVID and kind of trust: it costs about a millisecond. */
export function clientContext(rules: ClientRules): SecureContext {
  const svid = ownSvid(rules);
  const webPki = 'webPki' in rules ? rules.webPki : undefined;
  const existing = clientContexts.get(svid ?? NOTHING)?.get(webPki ?? NOTHING);
  if (existing !== undefined) return existing;
  const { ca: _none, ...settings } = secureContextOptions(svid);
  const context = createSecureContext({ ...settings, ...rootsOf(webPki) });
  const ofSvid = clientContexts.get(svid ?? NOTHING) ?? new WeakMap<object, SecureContext>();
  clientContexts.set(svid ?? NOTHING, ofSvid.set(webPki ?? NOTHING, context));
  return context;
}

function rootsOf(webPki: WebPki | undefined): Pick<SecureContextOptions, 'ca'> {
  if (webPki === undefined) return { ca: [] };
  const { ca } = webPki;
  if (ca === undefined) return {};
  const roots = typeof ca === 'string' ? [ca] : [...ca];
  if (roots.length === 0) throw new TypeError('webPki.ca must hold a root: without one no server could be verified');
  return { ca: roots };
}
