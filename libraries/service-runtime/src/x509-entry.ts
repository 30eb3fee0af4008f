import type { X509Svid, X509SvidSource } from '@neural-hive/security/spiffe';
import type { BoardEntry, OperationContext } from './board-entry.ts';

/** The part of an `X509Source` that the board reads. */
export interface ObservedX509Source extends X509SvidSource {
  readonly generation: number;
  onUpdate(listener: () => void): () => void;
}

export interface X509EntryOptions {
  /** Default `x509-svid`. */
  readonly name?: string;
  /** A fresh mTLS handshake and a request over it. */
  readonly operate: (context: OperationContext) => Promise<void>;
}

/**
 * The X509-SVID of a process as an entry of the board. Its authority rotates it; the board sees that it has changed,
 * and counts the change as forced when it was announced by `board.expect`.
 */
export function x509Entry(source: ObservedX509Source, options: X509EntryOptions): BoardEntry {
  return {
    name: options.name ?? 'x509-svid',
    kind: 'x509-svid',
    operate: options.operate,
    // A handshake with both sides in one process costs some milliseconds of CPU.
    pace: { concurrency: 2, pauseMs: 400 },
    describe() {
      const { issuedAtMs, expiresAtMs } = source.getX509Svid();
      return {
        generation: source.generation,
        ttlSeconds: Math.round((expiresAtMs - issuedAtMs) / 1000),
        expiresAtMs,
      };
    },
    onObserved(listener) {
      let seen = source.getX509Svid();
      return source.onUpdate(() => {
        // A new bundle is told in the same way and is no rotation.
        const current = source.getX509Svid();
        if (isSame(current, seen)) return;
        seen = current;
        listener();
      });
    },
  };
}

function isSame(a: X509Svid, b: X509Svid): boolean {
  const [leafA, leafB] = [a.certificates[0], b.certificates[0]];
  return leafA !== undefined && leafB !== undefined && Buffer.compare(leafA, leafB) === 0;
}
