import { SpiffeId } from '../../spiffe/index.ts';

const FULL_NAME = /^\/[A-Za-z_][\w.]*\/[A-Za-z_]\w*$/;

/** Which identities may call which method. Whatever is not in it is refused. */
export class MethodTable {
  readonly #allowed = new Map<string, ReadonlySet<string>>();
  readonly #exceptions: ReadonlySet<string>;

  /**
   * @param methods Allowed SPIFFE IDs by full method name, `/package.Service/Method`.
   * @param exceptions Full names of methods that need no token.
   * @throws TypeError for a name that is not a full method name or stands in both; SpiffeError for a wrong SPIFFE ID
   */
  constructor(methods: Readonly<Record<string, readonly string[]>>, exceptions: readonly string[]) {
    for (const [name, ids] of Object.entries(methods)) {
      assertFullName('methods', name);
      this.#allowed.set(name, new Set(ids.map((id) => SpiffeId.parse(id).toString())));
    }
    for (const name of exceptions) {
      assertFullName('exceptions', name);
      if (this.#allowed.has(name)) throw new TypeError(`exceptions: ${name} is also in methods`);
    }
    this.#exceptions = new Set(exceptions);
  }

  has(method: string): boolean {
    return this.#allowed.has(method);
  }

  isException(method: string): boolean {
    return this.#exceptions.has(method);
  }

  allows(method: string, id: SpiffeId): boolean {
    return this.#allowed.get(method)?.has(id.toString()) === true;
  }

  /** The method as a metric label. */
  labelOf(method: string): string {
    return this.#allowed.has(method) ? method : 'unknown';
  }
}

/** A pattern or a bare method name would let other services' methods of the same name through. */
function assertFullName(option: string, name: string): void {
  if (!FULL_NAME.test(name))
    throw new TypeError(`${option}: ${name} is not a full method name, /package.Service/Method`);
}
