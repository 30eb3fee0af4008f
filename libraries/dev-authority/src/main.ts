#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { messageOf } from '@neural-hive/security/common';
import type { DevAuthorityConfig } from './config.ts';
import { DevAuthority } from './dev-authority.ts';

const EXIT_CONFIG = 3;
/** After the parent is gone, at the latest. */
const LIMIT_MS = 1_500;

async function main(path: string | undefined): Promise<void> {
  if (path === undefined) throw new Error('usage: dev-authority <configuration file>');
  const config = JSON.parse(await readFile(path, 'utf8')) as DevAuthorityConfig;
  const authority = await DevAuthority.open(config);

  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), LIMIT_MS).unref();
    authority.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`dev-authority: ${messageOf(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (process.env.HIVE_PARENT_PIPE === '1') process.stdin.on('end', stop).on('error', stop).resume();

  const { address, caFile, auditFile, rootTokenFile } = authority;
  process.stdout.write(
    `${JSON.stringify({ ready: true, service: 'dev-authority', address, caFile, auditFile, rootTokenFile, pid: process.pid })}\n`,
  );
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`dev-authority: ${messageOf(error)}\n`);
  process.exit(EXIT_CONFIG);
});
