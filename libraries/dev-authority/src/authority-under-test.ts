import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from './api/fields.ts';
import { DevAuthority, type DevAuthorityOptions } from './dev-authority.ts';

export interface WireAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly text: string;
  /** The body as JSON; `{}` for an empty one. */
  readonly body: Readonly<Record<string, unknown>>;
  /** `body.data`, or `{}`. */
  readonly data: Readonly<Record<string, unknown>>;
  /** `body.auth`, or `{}`. */
  readonly auth: Readonly<Record<string, unknown>>;
}

/** A whole authority in a folder of its own, and a client that speaks TLS to it. */
export class AuthorityUnderTest implements AsyncDisposable {
  readonly folder: string;
  readonly #options: Partial<DevAuthorityOptions>;
  #authority: DevAuthority;
  #agent: Agent;

  private constructor(folder: string, options: Partial<DevAuthorityOptions>, authority: DevAuthority) {
    this.folder = folder;
    this.#options = options;
    this.#authority = authority;
    this.#agent = new Agent({ keepAlive: true, ca: authority.caPem });
  }

  static async open(options: Partial<DevAuthorityOptions> = {}): Promise<AuthorityUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'da-'));
    const authority = await DevAuthority.open({ stateFolder: join(folder, 'state'), ...options });
    return new AuthorityUnderTest(folder, options, authority);
  }

  get authority(): DevAuthority {
    return this.#authority;
  }

  /** Closes it and opens another on the same state; `away` runs in between. */
  async restart(away: () => Promise<void> = async () => undefined): Promise<void> {
    this.#agent.destroy();
    await this.#authority.close();
    await away();
    this.#authority = await DevAuthority.open({ stateFolder: join(this.folder, 'state'), ...this.#options });
    this.#agent = new Agent({ keepAlive: true, ca: this.#authority.caPem });
  }

  /** With the root token. */
  root(method: string, path: string, body?: unknown): Promise<WireAnswer> {
    return this.call(method, path, { token: this.#authority.rootToken, body });
  }

  /** As `root`, and throws unless it succeeds. */
  async must(method: string, path: string, body?: unknown): Promise<WireAnswer> {
    const answer = await this.root(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  async call(
    method: string,
    path: string,
    {
      token,
      body,
      raw,
      headers = {},
    }: { token?: string; body?: unknown; raw?: string; headers?: Record<string, string> } = {},
  ): Promise<WireAnswer> {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const { hostname, port } = new URL(this.#authority.address);
    const length = payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          hostname,
          port,
          // As it is: a URL object would resolve relative segments.
          path: path.startsWith('/') ? path : `/v1/${path}`,
          method,
          agent: this.#agent,
          headers: { ...(token === undefined ? {} : { 'x-vault-token': token }), ...length, ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({
              status: response.statusCode ?? 0,
              contentType: response.headers['content-type'],
              text,
              ...parsed(text),
            });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
  }

  /** A token with exactly these policies, for `ttl`. */
  async tokenWith(policies: readonly string[], fields: Record<string, unknown> = {}): Promise<string> {
    const { auth } = await this.must('POST', 'auth/token/create', {
      policies,
      no_default_policy: true,
      ttl: '1h',
      ...fields,
    });
    return String(auth.client_token);
  }

  async auditLines(): Promise<Record<string, unknown>[]> {
    const text = await readFile(this.#authority.auditFile, 'utf8');
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.#authority.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function parsed(text: string): Pick<WireAnswer, 'body' | 'data' | 'auth'> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = {};
  }
  const record = isRecord(body) ? body : {};
  return {
    body: record,
    data: isRecord(record.data) ? record.data : {},
    auth: isRecord(record.auth) ? record.auth : {},
  };
}
