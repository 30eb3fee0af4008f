import type { RotatingCredential } from '@neural-hive/security/credentials';
import type { BoardEntry, CredentialKind, OperationContext } from './board-entry.ts';

export interface RotatingEntryOptions {
  readonly kind: CredentialKind;
  /** Default: the name of the credential's provider. */
  readonly name?: string;
  /** One read that uses the credential as it is now. */
  readonly operate: (context: OperationContext) => Promise<void>;
}

/** A rotating credential as an entry of the board: `board.register(rotatingEntry(credential, { kind, operate }))`. */
export function rotatingEntry<T>(credential: RotatingCredential<T>, options: RotatingEntryOptions): BoardEntry {
  return {
    name: options.name ?? credential.name,
    kind: options.kind,
    operate: options.operate,
    describe() {
      const { generation, issuedAtMs, expiresAtMs } = credential.current();
      return { generation, ttlSeconds: Math.round((expiresAtMs - issuedAtMs) / 1000), expiresAtMs };
    },
    rotate: () => credential.rotate('forced'),
    onRotation: (listener) => credential.onRotation(listener),
    attach: (gate) => credential.attach(gate),
  };
}
