import { createReadStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { VAULT_MOUNTS } from '@neural-hive/contracts';
import { Secret } from '@neural-hive/security/common';
import { askServer, reasonOf } from '../ask-server.ts';
import { ClusterError } from '../cluster-error.ts';
import type { ClusterSettings } from '../settings.ts';
import { SNAPSHOT_ROLE } from '../setup/cluster-setup.ts';
import { downloadSnapshot } from './download.ts';
import { type SnapshotSummary, verifySnapshot } from './verify.ts';

export interface RunSnapshotOptions {
  readonly store: S3Client;
  /** The projected service account token. */
  readonly tokenFile: string;
  /** Where the snapshot is kept while it is verified. */
  readonly scratch: string;
  readonly log: (line: string) => void;
  /** In epoch milliseconds. Default: now. */
  readonly nowMs?: number;
}

export interface StoredSnapshot extends SnapshotSummary {
  readonly key: string;
  readonly bytes: number;
}

/** Takes a snapshot, verifies it, and stores it. What is damaged is not stored. */
export async function runSnapshot(
  settings: {
    readonly cluster: ClusterSettings;
    readonly snapshot: { readonly bucket: string; readonly prefix: string };
  },
  options: RunSnapshotOptions,
): Promise<StoredSnapshot> {
  const { cluster, snapshot } = settings;
  const { store, tokenFile, scratch, log, nowMs = Date.now() } = options;
  const path = join(scratch, 'vault.snap');
  const token = await logIn(cluster, tokenFile);
  try {
    const { address, servers, ca } = cluster;
    const { bytes, sha256 } = await downloadSnapshot({ address, servers, ca, token, path });
    const summary = await verifySnapshot(path);
    const time = new Date(nowMs).toISOString().replaceAll(':', '-');
    const key = `${snapshot.prefix}/${time}-index-${summary.index}.snap`;
    await store.send(
      new PutObjectCommand({
        Bucket: snapshot.bucket,
        Key: key,
        Body: createReadStream(path),
        ContentLength: bytes,
        ContentType: 'application/gzip',
        ChecksumSHA256: sha256,
        Metadata: { 'raft-index': String(summary.index), 'raft-term': String(summary.term) },
      }),
    );
    log(`stored ${bytes} bytes as s3://${snapshot.bucket}/${key} (index ${summary.index}, term ${summary.term})`);
    return { ...summary, key, bytes };
  } finally {
    await rm(path, { force: true });
    await giveBack(cluster, token, log);
  }
}

async function logIn({ address, ca }: ClusterSettings, tokenFile: string): Promise<Secret> {
  const jwt = (await readFile(tokenFile, 'utf8')).trim();
  const path = `/v1/auth/${VAULT_MOUNTS.kubernetes}/login`;
  const answer = await askServer(address, { path, method: 'POST', ca, body: { role: SNAPSHOT_ROLE, jwt } });
  const token = (answer.fields.auth as { readonly client_token?: unknown } | undefined)?.client_token;
  if (typeof token !== 'string') {
    throw new ClusterError('refused', `Logging in as ${SNAPSHOT_ROLE}: the server answered ${reasonOf(answer)}`);
  }
  return new Secret(token);
}

/** The token ends by itself within minutes, so a failure is only told. */
async function giveBack({ address, ca }: ClusterSettings, token: Secret, log: (line: string) => void): Promise<void> {
  const headers = { 'x-vault-token': token.reveal() };
  try {
    await askServer(address, { path: '/v1/auth/token/revoke-self', method: 'POST', ca, headers, body: {} });
  } catch {
    log('the token could not be revoked; it ends by itself');
  }
}
