/** Where the client counts; `@neural-hive/security/prometheus` has an implementation. */
export interface VaultMetrics {
  /** `operation` is a template such as `kv.read`, never a path; `status` is `success` or an error code. */
  request(operation: string, status: string, durationMs: number): void;
  tokenRenewal(status: 'success' | 'failure'): void;
}

export { type Logger, silentLogger } from '../common/index.ts';
