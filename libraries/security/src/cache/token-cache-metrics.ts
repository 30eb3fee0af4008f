/** Where a token cache counts; `@neural-hive/security/prometheus` has an implementation. */
export interface TokenCacheMetrics {
  hit(): void;
  miss(): void;
  /** A token was replaced while the old one served. */
  refresh(status: 'success' | 'failure'): void;
  /** So many more tokens are kept, or fewer; changes, since several caches may share this. */
  resize(by: number): void;
}
