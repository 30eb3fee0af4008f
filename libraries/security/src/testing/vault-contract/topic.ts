import assert from 'node:assert/strict';
import { isVaultError, type VaultErrorCode } from '../../vault/index.ts';
import type { ConfiguredVault } from '../vault-target.ts';

/** The functions of the test runner; the suites themselves depend on none. */
export interface TestRunner {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
  beforeAll(body: () => Promise<void>): void;
  afterAll(body: () => Promise<void>): void;
}

/** Tests of one subject, on the server that `vault` gives once they run. */
export type Topic = (test: TestRunner['test'], vault: () => ConfiguredVault) => void;

export async function rejectsWith(work: Promise<unknown>, code: VaultErrorCode): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isVaultError(error, code), `expected ${code}, got ${String(error)}`);
    return true;
  });
}

/** Draws every renewal point as early as it may be. */
export const earliest = (): number => 0;
