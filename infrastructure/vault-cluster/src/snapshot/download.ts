import { createHash } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { messageOf, type Secret } from '@neural-hive/security/common';
import { ClusterError } from '../cluster-error.ts';

export interface Download {
  readonly bytes: number;
  /** In base64, as S3 compares it. */
  readonly sha256: string;
}

/** Between two parts of the answer. */
const IDLE_LIMIT_MS = 60_000;

/**
 * Streams a snapshot into a file; its size is not bounded by memory. A standby answers with a redirect to the active
 * server, which is followed once and only to one of the cluster's own servers.
 */
export async function downloadSnapshot(options: {
  readonly address: string;
  readonly servers: readonly string[];
  readonly ca: string | undefined;
  readonly token: Secret;
  readonly path: string;
}): Promise<Download> {
  const { address, servers, path } = options;
  const first = await get(new URL('/v1/sys/storage/raft/snapshot', address), options);
  if (first.redirect === undefined) return first.done;
  const target = new URL(first.redirect);
  if (!servers.some((server) => new URL(server).origin === target.origin)) {
    throw new ClusterError(
      'refused',
      `Taking a snapshot into ${path}: redirected to ${target.origin}, which is no server of the cluster`,
    );
  }
  const second = await get(target, options);
  if (second.redirect !== undefined) throw new ClusterError('refused', 'Taking a snapshot: redirected twice');
  return second.done;
}

type Got = { readonly redirect: string } | { readonly redirect: undefined; readonly done: Download };

function get(
  url: URL,
  options: { readonly ca: string | undefined; readonly token: Secret; readonly path: string },
): Promise<Got> {
  const { ca, token, path } = options;
  const request = url.protocol === 'http:' ? plainRequest : tlsRequest;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(new ClusterError('no_answer', `Taking a snapshot: ${messageOf(cause)}`, { retryable: true, cause }));
    const outgoing = request(
      url,
      {
        agent: false,
        timeout: IDLE_LIMIT_MS,
        ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
        headers: { 'x-vault-token': token.reveal() },
      },
      (answer) => {
        const { statusCode = 0, headers } = answer;
        if (statusCode === 307 && headers.location !== undefined) {
          answer.resume();
          return resolve({ redirect: headers.location });
        }
        if (statusCode !== 200) {
          answer.resume();
          return reject(new ClusterError('refused', `Taking a snapshot: the server answered ${statusCode}`));
        }
        const hash = createHash('sha256');
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          hash.update(chunk);
          bytes += chunk.length;
        });
        pipeline(answer, createWriteStream(path, { mode: 0o600 })).then(
          () => resolve({ redirect: undefined, done: { bytes, sha256: hash.digest('base64') } }),
          fail,
        );
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`nothing came for ${IDLE_LIMIT_MS} ms`)));
    outgoing.on('error', fail);
    outgoing.end();
  });
}
