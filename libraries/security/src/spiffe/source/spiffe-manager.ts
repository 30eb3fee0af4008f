import type { JwtBundleSource } from '../bundle/jwt/jwt-bundle.ts';
import type { X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import type { X509Svid } from '../svid/x509/x509-svid.ts';
import { JwtSource } from './jwt-source.ts';
import type { SourceOptions } from './source-options.ts';
import { X509Source } from './x509-source.ts';

/** Both sources behind one door, for programs that need no more than their own identity. */
export class SpiffeManager {
  readonly #x509: X509Source;
  readonly #jwt: JwtSource;

  private constructor(x509: X509Source, jwt: JwtSource) {
    this.#x509 = x509;
    this.#jwt = jwt;
  }

  /** Resolves when SVID and bundles are there. */
  static async open(options: SourceOptions = {}): Promise<SpiffeManager> {
    const x509 = await X509Source.open(options);
    try {
      return new SpiffeManager(x509, await JwtSource.open(options));
    } catch (error) {
      await x509.close();
      throw error;
    }
  }

  fetchJwtSvid(audience: string | readonly string[], options: { signal?: AbortSignal } = {}): Promise<JwtSvid> {
    return this.#jwt.fetchJwtSvid({ audience, ...options });
  }

  /** The SVID of this moment; the agent keeps it current. */
  fetchX509Svid(): Promise<X509Svid> {
    return Promise.resolve(this.#x509.getX509Svid());
  }

  trustBundles(): X509BundleSource & JwtBundleSource {
    return {
      getX509Bundle: (trustDomain) => this.#x509.getX509Bundle(trustDomain),
      getJwtBundle: (trustDomain) => this.#jwt.getJwtBundle(trustDomain),
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#x509.close(), this.#jwt.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
