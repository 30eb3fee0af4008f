import { readFileSync } from 'node:fs';
import { type Agent, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { messageOf } from '@neural-hive/security/common';
import { z } from 'zod';
import { TicketFailure } from '../../domain/failure.ts';

export interface PolicyClientOptions {
  /** Of the OPA server: `https`, or `http` on the loopback interface. */
  readonly url: string;
  /** The server's CA, PEM; read anew for each question. Default: the system's. */
  readonly caFile?: string | undefined;
  /** For a server that shows an X509-SVID: `spiffeHttpsAgent`. In place of `caFile`. */
  readonly agent?: Agent;
  /** Holds the bearer token that the server asks for; read anew for each question, since it is replaced. Default: none. */
  readonly tokenFile?: string | undefined;
}

/** What a policy said. */
export interface PolicyVerdict {
  readonly allowed: boolean;
  /** Why not, as the policy has it. */
  readonly reasons: readonly string[];
}

const MAX_ANSWER_BYTES = 1024 * 1024;
const LIMIT_MS = 10_000;
const MAX_REASONS = 50;

/** A decision document: a truth value, or what policies for admission usually say. */
const decision = z.union([
  z.boolean(),
  z.object({ allow: z.boolean(), deny: z.array(z.string()).optional(), reasons: z.array(z.string()).optional() }),
  z.object({ allow: z.undefined().optional(), deny: z.array(z.string()) }),
]);
const answer = z.object({ result: decision.optional() });

/** Asks an OPA server for the decision of one policy. Throws a `TicketFailure`. */
export class PolicyClient {
  readonly #options: PolicyClientOptions;
  readonly #url: URL;

  constructor(options: PolicyClientOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    const loopback = ['127.0.0.1', '[::1]', 'localhost'].includes(this.#url.hostname);
    if (this.#url.protocol !== 'https:' && !(this.#url.protocol === 'http:' && loopback)) {
      throw new RangeError('url: must be https, or http on the loopback interface');
    }
  }

  /** `policy`: the path of the decision, such as `deploy/allow`. */
  async ask(policy: string, input: unknown, { signal }: { signal: AbortSignal }): Promise<PolicyVerdict> {
    let said: { status: number; text: string };
    try {
      said = await this.#post(`/v1/data/${policy}`, JSON.stringify({ input }), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new TicketFailure('backend', `The policy server cannot be asked: ${messageOf(error)}`, { cause: error });
    }
    if (said.status !== 200) throw new TicketFailure('backend', `The policy server answered ${said.status}`);
    const parsed = answer.safeParse(parseJson(said.text));
    if (!parsed.success) throw new TicketFailure('backend', `The policy ${policy} decides in a way that is not known`);
    const { result } = parsed.data;
    // A policy that is not there decides nothing, and nothing is no yes.
    if (result === undefined)
      throw new TicketFailure('execution', `There is no policy ${policy}, or it decides nothing`);
    return verdictOf(result);
  }

  async #post(path: string, body: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
    const { agent, caFile, tokenFile } = this.#options;
    const secure = this.#url.protocol === 'https:';
    const options = {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(tokenFile !== undefined && { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` }),
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
      ...(agent !== undefined && { agent }),
      ...(secure && caFile !== undefined && { ca: readFileSync(caFile) }),
    };
    return new Promise((resolve, reject) => {
      const call = (secure ? httpsRequest : httpRequest)(new URL(path, this.#url), options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too long'));
        });
        response.once('error', reject);
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      call.once('error', reject);
      call.end(body);
    });
  }
}

function verdictOf(result: z.output<typeof decision>): PolicyVerdict {
  if (typeof result === 'boolean') return { allowed: result, reasons: [] };
  const reasons = [...(result.deny ?? []), ...('reasons' in result ? (result.reasons ?? []) : [])].slice(
    0,
    MAX_REASONS,
  );
  // One that says both must say yes twice.
  const denied = (result.deny ?? []).length > 0;
  return { allowed: !denied && result.allow !== false, reasons };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
