import { isVaultError } from '@neural-hive/security/vault';
import type { ReportBuilder } from './report.ts';
import type { VaultRequester } from './requester.ts';

/** What every step of a run shares. */
export interface Run {
  readonly client: VaultRequester;
  readonly plan: boolean;
  readonly signal: AbortSignal | undefined;
  readonly report: ReportBuilder;
}

/** Whether the server refused because this product has no such method, engine or database plugin. */
export function isMissingPlugin(error: unknown): boolean {
  if (!isVaultError(error)) return false;
  return (error.errors ?? []).some((text) =>
    /plugin not found|unknown (backend|auth|secret)|(method|engine) .*not supported/i.test(text),
  );
}
