import { systemClock } from '../../common/index.ts';
import type { JwtBundleSource } from '../bundle/jwt/jwt-bundle.ts';
import type { X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import type { X509Svid } from '../svid/x509/x509-svid.ts';
import { WorkloadApiClient } from '../workload-api/client.ts';
import { JwtSource, type JwtSourceOptions } from './jwt-source.ts';
import { X509Source, type X509SourceOptions } from './x509-source.ts';

export interface SpiffeManagerOptions extends X509SourceOptions, JwtSourceOptions {}

/** Both sources behind one door, for programs that need no more than their own identity. */
export class SpiffeManager {
  readonly #x509: X509Source;
  readonly #jwt: JwtSource;
  readonly #ownClient: WorkloadApiClient | undefined;

  private constructor(x509: X509Source, jwt: JwtSource, ownClient: WorkloadApiClient | undefined) {
    this.#x509 = x509;
    this.#jwt = jwt;
    this.#ownClient = ownClient;
  }

  /** Resolves when SVID and bundles are there. */
  static async open(options: SpiffeManagerOptions = {}): Promise<SpiffeManager> {
    const { endpoint, clock = systemClock } = options;
    const own = options.client === undefined ? new WorkloadApiClient({ endpoint, clock }) : undefined;
    const shared = own === undefined ? options : { ...options, client: own };
    // One that opened while the other failed is closed again.
    const [x509, jwt] = await Promise.allSettled([X509Source.open(shared), JwtSource.open(shared)]);
    if (x509.status === 'fulfilled' && jwt.status === 'fulfilled') {
      return new SpiffeManager(x509.value, jwt.value, own);
    }
    for (const one of [x509, jwt]) if (one.status === 'fulfilled') await one.value.close();
    own?.close();
    throw x509.status === 'rejected' ? x509.reason : jwt.status === 'rejected' ? jwt.reason : undefined;
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
    this.#ownClient?.close();
  }

  /** Nothing is in flight that could be drained, so the same as `close`. */
  destroy(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
