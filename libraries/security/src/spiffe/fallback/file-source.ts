import {
  type Clock,
  FileWatch,
  type Logger,
  messageOf,
  SnapshotCell,
  secondsLeft,
  silentLogger,
  systemClock,
} from '../../common/index.ts';
import type { JwtBundle, JwtBundleSource } from '../bundle/jwt/jwt-bundle.ts';
import type { X509Bundle, X509BundleSource } from '../bundle/x509/x509-bundle.ts';
import type { JwtSvidRequest } from '../source/jwt-source.ts';
import type { SourceHealth } from '../source/source-options.ts';
import { type SpiffeMetrics, type SvidType, svidReport } from '../source/spiffe-metrics.ts';
import { SpiffeError } from '../spiffe-error.ts';
import type { JwtSvid } from '../svid/jwt/jwt-svid.ts';
import type { X509Svid, X509SvidSource } from '../svid/x509/x509-svid.ts';
import type { TrustDomain } from '../trust-domain.ts';
import { assertFallbackAdmitted } from './admission.ts';
import { type FallbackMaterial, type FallbackSources, readFallbackMaterial } from './fallback-material.ts';

export interface FileSourceOptions extends FallbackSources {
  /** Where this runs: `development`, `dev`, `local` or `test`. Anywhere else, or nowhere, the source is refused. */
  readonly environment: string | undefined;
  /** How often files are read even if nothing reported a change, in milliseconds; default 2 000. */
  readonly pollMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly metrics?: SpiffeMetrics;
  /** Aborts the opening. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * SVIDs that somebody put into files or variables, for a machine without an agent. It stands in for `X509Source` and
 * `JwtSource`, outside production only; it is never healthy, and what it serves is counted as `fallback`. A file that
 * changes is read again at once; one that is malformed, or half written, leaves what was read before in place.
 */
export class FileSource implements X509SvidSource, X509BundleSource, JwtBundleSource {
  readonly #options: FileSourceOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #cell = new SnapshotCell<FallbackMaterial>();
  readonly #stop = new AbortController();
  readonly #report: Required<SpiffeMetrics>;
  #unwatch: (() => void)[] = [];
  #files: FileWatch | undefined;
  #lastError: Error | undefined;

  private constructor(options: FileSourceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#report = svidReport(options.metrics);
  }

  /**
   * Resolves when everything that was named is read and every SVID is valid.
   * @throws SpiffeError `FALLBACK_REFUSED` outside the four environments; `FALLBACK_INVALID`, `X509_SVID_EXPIRED`,
   * `JWT_EXPIRED` and the codes of what is malformed; the signal's reason
   */
  static async open(options: FileSourceOptions): Promise<FileSource> {
    assertFallbackAdmitted(options.environment);
    if (options.x509 === undefined && options.jwt === undefined) throw new TypeError('x509 or jwt must be given');
    const source = new FileSource(options);
    try {
      await source.#read();
      options.signal?.throwIfAborted();
      if (options.x509 !== undefined) source.getX509Svid();
      if (options.jwt !== undefined) source.#currentJwt();
    } catch (error) {
      source.#countError();
      throw error;
    }
    source.#watchFiles();
    source.#watchLives();
    return source;
  }

  /** @throws SpiffeError `X509_SVID_EXPIRED`, `SVID_WITHDRAWN` when none was named, `SOURCE_CLOSED` */
  getX509Svid(): X509Svid {
    const { x509 } = this.#material();
    if (x509 === undefined) throw new SpiffeError('SVID_WITHDRAWN', 'The fallback has no X509-SVID');
    if (x509.expiresAtMs > this.#clock.now()) return x509;
    throw new SpiffeError('X509_SVID_EXPIRED', `The X509-SVID of ${x509.id} in the fallback has expired`);
  }

  /** @throws SpiffeError `SOURCE_CLOSED` */
  getX509Bundle(trustDomain: TrustDomain): X509Bundle | undefined {
    return this.#material().x509Bundles.get(trustDomain.name);
  }

  /** @throws SpiffeError `SOURCE_CLOSED` */
  getJwtBundle(trustDomain: TrustDomain): JwtBundle | undefined {
    return this.#material().jwtBundles.get(trustDomain.name);
  }

  /**
   * The one token there is, if it is for these audiences and still valid. Nobody can ask for another.
   * @throws SpiffeError `JWT_AUDIENCE_REFUSED`, `JWT_EXPIRED`, `ID_NOT_AUTHORIZED` for another subject, `SVID_WITHDRAWN`
   * when none was named, `SOURCE_CLOSED`
   */
  async fetchJwtSvid({ audience, subject, signal }: JwtSvidRequest): Promise<JwtSvid> {
    signal?.throwIfAborted();
    try {
      const svid = this.#jwtFor(typeof audience === 'string' ? [audience] : audience, subject?.toString());
      this.#report.svidFetch('jwt', 'fallback', 0, svid);
      return svid;
    } catch (error) {
      this.#report.svidFetch('jwt', 'error', 0);
      throw error;
    }
  }

  /** Counts the changes of what was read; 1 is the first. */
  get generation(): number {
    return this.#cell.generation;
  }

  onUpdate(listener: () => void): () => void {
    return this.#cell.onChange(() => listener());
  }

  /** Never `healthy`: this is not where SVIDs should come from. */
  health(): SourceHealth {
    const material = this.#cell.get();
    const ends = [material?.x509?.expiresAtMs, material?.jwt?.expiresAtMs].filter((endMs) => endMs !== undefined);
    const expiresAtMs = ends.length === 0 ? 0 : Math.min(...ends);
    const state = expiresAtMs > this.#clock.now() && !this.#stop.signal.aborted ? 'degraded' : 'unhealthy';
    return { state, expiresAtMs, ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }) };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort(new SpiffeError('SOURCE_CLOSED', 'The fallback source of SVIDs is closed'));
    for (const unwatch of this.#unwatch.splice(0)) unwatch();
    await this.#files?.close();
  }

  /** Nothing is in flight that could be drained, so the same as `close`. */
  destroy(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #material(): FallbackMaterial {
    this.#stop.signal.throwIfAborted();
    const material = this.#cell.get();
    if (material === undefined) throw new SpiffeError('SOURCE_NOT_READY', 'The fallback was not read yet');
    return material;
  }

  #jwtFor(audience: readonly string[], subject: string | undefined): JwtSvid {
    const svid = this.#currentJwt();
    if (audience.length === 0 || !audience.every((name) => svid.audience.includes(name))) {
      throw new SpiffeError('JWT_AUDIENCE_REFUSED', 'The JWT-SVID in the fallback is not for the audience asked for');
    }
    if (subject !== undefined && subject !== svid.id.toString()) {
      throw new SpiffeError('ID_NOT_AUTHORIZED', `The JWT-SVID in the fallback is not one of ${subject}`);
    }
    return svid;
  }

  #currentJwt(): JwtSvid {
    const { jwt } = this.#material();
    if (jwt === undefined) throw new SpiffeError('SVID_WITHDRAWN', 'The fallback has no JWT-SVID');
    if (jwt.expiresAtMs > this.#clock.now()) return jwt;
    throw new SpiffeError('JWT_EXPIRED', `The JWT-SVID of ${jwt.id} in the fallback has expired`);
  }

  async #read(): Promise<void> {
    const next = await readFallbackMaterial(this.#options);
    this.#lastError = undefined;
    if (this.#stop.signal.aborted) return;
    const before = this.#cell.get()?.texts;
    if (before?.every((text, index) => text === next.texts[index])) return;
    this.#cell.set(next);
    if (next.x509 !== undefined) this.#report.svidFetch('x509', 'fallback', 0, next.x509);
    const fields = {
      environment: this.#options.environment,
      x509: next.x509 && { id: next.x509.id.toString(), expiresAtMs: next.x509.expiresAtMs },
      jwt: next.jwt && { id: next.jwt.id.toString(), audience: next.jwt.audience, expiresAtMs: next.jwt.expiresAtMs },
    };
    this.#logger.warn(fields, 'SVIDs come from files or variables and not from an agent');
  }

  async #readOrKeep(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#countError();
      this.#lastError = error instanceof Error ? error : new Error(messageOf(error));
      this.#logger.warn({ cause: messageOf(error) }, 'the fallback cannot be read; what was read before stays');
    }
  }

  #watchFiles(): void {
    const { x509, jwt, x509Bundle, jwtBundle, bundleMap, pollMs = 2_000 } = this.#options;
    const sources = [x509?.certificates, x509?.privateKey, jwt, x509Bundle, jwtBundle, bundleMap];
    const files = sources.flatMap((source) => (source && 'file' in source ? [source.file] : []));
    if (files.length === 0) return;
    const onChange = (): Promise<void> => this.#readOrKeep();
    this.#files = new FileWatch({ files, pollMs, onChange, clock: this.#clock, logger: this.#logger });
  }

  #countError(): void {
    const { x509, jwt } = this.#options;
    if (x509 !== undefined) this.#report.svidFetch('x509', 'error', 0);
    if (jwt !== undefined) this.#report.svidFetch('jwt', 'error', 0);
  }

  #watchLives(): void {
    const types: SvidType[] = ['x509', 'jwt'];
    this.#unwatch = types
      .filter((type) => this.#options[type] !== undefined)
      .map((type) =>
        this.#report.watchSvid(type, () => secondsLeft(this.#clock, this.#cell.get()?.[type]?.expiresAtMs ?? 0)),
      );
  }
}
