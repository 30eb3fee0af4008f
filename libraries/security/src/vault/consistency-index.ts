/** The header in which a server says which state a write produced, and in which a client asks for that state. */
export const INDEX_HEADER = 'x-vault-index';

interface Position {
  readonly cluster: string;
  readonly local: number;
  readonly replicated: number;
}

/** Vault's form: base64 of `v1:<cluster>:<local>:<replicated>:<hmac>`. Others are taken as they are. */
function positionOf(index: string): Position | undefined {
  const [version, cluster = '', local, replicated] = Buffer.from(index, 'base64').toString('latin1').split(':');
  if (version !== 'v1' || !/^\d{1,15}$/.test(local ?? '') || !/^\d{1,15}$/.test(replicated ?? '')) return undefined;
  return { cluster, local: Number(local), replicated: Number(replicated) };
}

/**
 * The newest state this client has seen, so that a node that lags behind answers 412 instead of something old. Answers
 * overtake each other: an older state never replaces a newer one.
 */
export class ConsistencyIndex {
  #value: string | undefined;
  #position: Position | undefined;

  get value(): string | undefined {
    return this.#value;
  }

  note(header: string | string[] | undefined): void {
    const index = Array.isArray(header) ? header.at(-1) : header;
    // It goes into a header of later requests.
    if (index === undefined || !/^[\x21-\x7e]{1,4096}$/.test(index)) return;
    const position = positionOf(index);
    const known = this.#position;
    const older =
      position !== undefined &&
      known !== undefined &&
      position.cluster === known.cluster &&
      position.local <= known.local &&
      position.replicated <= known.replicated;
    if (older) return;
    this.#value = index;
    this.#position = position;
  }
}
