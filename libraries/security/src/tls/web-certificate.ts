import { createSecureContext } from 'node:tls';
import type { ShownCertificate } from './rules.ts';
import { secureContextOptions } from './secure-context.ts';

export interface WebCertificatePem {
  /** The leaf and its intermediates. */
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}

/** A server's certificate of the web, for clients that know it by a name. `replace` it before it ends. */
export class WebCertificate {
  readonly #listeners = new Set<() => void>();
  #current: ShownCertificate;

  /** @throws Error of OpenSSL when it cannot be read or the key is another's */
  constructor(pem: WebCertificatePem) {
    this.#current = checked(pem);
  }

  /** New handshakes show it. One that cannot be used is refused, and the old one stays. */
  replace(pem: WebCertificatePem): void {
    this.#current = checked(pem);
    for (const listener of this.#listeners) listener();
  }

  get current(): ShownCertificate {
    return this.#current;
  }

  onUpdate(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function checked({ certificateChainPem, privateKeyPem }: WebCertificatePem): ShownCertificate {
  // A function, as an X509-SVID has it: no log or error shows the key by accident.
  const shown = { certificateChainPem, privateKeyPem: () => privateKeyPem };
  createSecureContext(secureContextOptions(shown));
  return shown;
}
