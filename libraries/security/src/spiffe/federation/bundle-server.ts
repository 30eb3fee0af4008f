import { constants } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { encodeSpiffeBundle } from '../bundle/spiffe/encode.ts';
import type { SpiffeBundle } from '../bundle/spiffe/spiffe-bundle.ts';
import type { X509SvidSource } from '../svid/x509/x509-svid.ts';

export interface BundleHandlerOptions {
  /** The newest bundle; without one the answer is 503. */
  readonly bundle: () => SpiffeBundle | undefined;
  /** The only path that is served; default every path. */
  readonly path?: string;
}

/** Follows the rotations of an SVID, or keeps a certificate of a public authority. */
type ServerCertificate =
  | { readonly identity: X509SvidSource & { onUpdate?(listener: () => void): () => void } }
  | { readonly certificate: { readonly cert: string | Buffer; readonly key: string | Buffer } };

/** `identity` serves the profile `https_spiffe`, `certificate` serves `https_web`. */
export type BundleServerOptions = BundleHandlerOptions & ServerCertificate;

/** Mozilla's intermediate compatibility (Federation, 5). */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Answers GET and HEAD with the newest bundle and asks nobody who they are (Federation, 5.2.1.3). */
export function bundleHandler({ bundle, path }: BundleHandlerOptions): RequestListener {
  const documents = new WeakMap<SpiffeBundle, Buffer>();
  const documentOf = (current: SpiffeBundle): Buffer => {
    const document = documents.get(current) ?? Buffer.from(encodeSpiffeBundle(current));
    documents.set(current, document);
    return document;
  };
  return (request, response) => {
    const { method = '', url = '' } = request;
    if (path !== undefined && url.split('?', 1)[0] !== path) {
      response.writeHead(404).end();
      return;
    }
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    const current = bundle();
    if (current === undefined) {
      response.writeHead(503).end();
      return;
    }
    const document = documentOf(current);
    const headers = {
      'content-type': 'application/json',
      'content-length': document.length,
      'cache-control': 'no-cache',
    };
    response.writeHead(200, headers).end(method === 'HEAD' ? undefined : document);
  };
}

/**
 * An HTTPS server that serves a bundle and nothing else. It asks for no client certificate, as the profiles demand. Close
 * it to end its subscription to the identity.
 * @throws whatever `identity.getX509Svid()` throws when there is no SVID yet
 */
export function bundleServer(options: BundleServerOptions): Server {
  const handler = bundleHandler(options);
  if ('certificate' in options) return createServer(contextOf(options.certificate), handler);
  const { identity } = options;
  const current = (): SecureContextOptions => {
    const svid = identity.getX509Svid();
    return contextOf({ cert: svid.certificateChainPem, key: svid.privateKeyPem() });
  };
  const server = createServer(current(), handler);
  const stop = identity.onUpdate?.(() => {
    try {
      server.setSecureContext(current());
    } catch {
      // Withdrawn: connections are refused below until there is an SVID again.
    }
  });
  if (stop !== undefined) server.once('close', stop);
  server.prependListener('connection', (socket) => {
    try {
      identity.getX509Svid();
    } catch {
      socket.destroy();
    }
  });
  return server;
}

function contextOf(certificate: { cert: string | Buffer; key: string | Buffer }): SecureContextOptions {
  return {
    ...certificate,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
  };
}
