import { request } from 'node:https';
import { isRecord } from '../../api/fields.ts';
import { Fault } from '../../fault.ts';
import type { KubernetesConfig } from './kubernetes-config.ts';

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

export interface ReviewedAccount {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
}

/** Has the cluster check the token: its signature, its life and its audience are for the cluster to know. */
export async function reviewToken(config: KubernetesConfig, token: string, audience: string): Promise<ReviewedAccount> {
  const body = JSON.stringify({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, ...(audience === '' ? {} : { audiences: [audience] }) },
  });
  const { status, text } = await post(config, body, config.reviewerToken === '' ? token : config.reviewerToken);
  if (status === 401 || status === 403) throw unauthorized();
  if (status !== 200 && status !== 201) throw new Fault('internal', `TokenReview was answered with status ${status}`);
  const review: unknown = parse(text);
  const reviewed = isRecord(review) && isRecord(review.status) ? review.status : {};
  if (reviewed.authenticated !== true || !isRecord(reviewed.user)) throw unauthorized();
  const { username, uid } = reviewed.user;
  const [system, kind, namespace, name, ...rest] = String(username).split(':');
  if (system !== 'system' || kind !== 'serviceaccount' || !namespace || !name || rest.length > 0) throw unauthorized();
  const audiences = Array.isArray(reviewed.audiences) ? reviewed.audiences.map(String) : [];
  // A cluster that does not know audiences ignores the question; then the token was not checked for ours.
  if (audience !== '' && !audiences.includes(audience)) throw unauthorized();
  return { namespace, name, uid: String(uid ?? ''), audiences };
}

/** Says no more than that: why is for the cluster's log. */
export function unauthorized(): Fault {
  return new Fault('permission_denied', 'permission denied');
}

function post(config: KubernetesConfig, body: string, bearer: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(new Fault('internal', 'TokenReview could not be made: the cluster does not answer', { cause }));
    const outgoing = request(
      `${config.host}/apis/authentication.k8s.io/v1/tokenreviews`,
      {
        method: 'POST',
        agent: false,
        timeout: TIMEOUT_MS,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          authorization: `Bearer ${bearer}`,
          'content-length': Buffer.byteLength(body),
        },
        ...(config.caPem === '' ? {} : { ca: config.caPem }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) outgoing.destroy(new Error('answer too large'));
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
