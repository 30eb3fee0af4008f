import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, messageOf, silentLogger } from '../../common/index.ts';
import type { VaultClient } from '../client.ts';
import { isVaultError } from '../errors.ts';
import { JournalFile, type JournalLine, readJournal } from './journal-file.ts';
import { isOver, ownProcess } from './journal-owner.ts';
import type { LeaseEvent } from './lease.ts';
import { revokeLease } from './lease-calls.ts';

export interface LeaseJournalOptions {
  /** Where the journals are, one a process; made with mode 0700. Processes that may sweep each other's share it. */
  readonly folder: string;
  readonly logger?: Logger;
  readonly signal?: AbortSignal | undefined;
}

/** What the sweep at opening did. */
export interface LeaseSweep {
  /** Leases of dead processes that are gone now. */
  readonly revoked: number;
  /** Those that could not be revoked; the next opening tries again. */
  readonly left: number;
}

type JournaledClient = Pick<VaultClient, 'leases' | 'token' | 'onTokenReplaced' | 'request'>;

const SUFFIX = '.leases';
/** A journal with so many lines, most of them about what is gone, is written anew. */
const REWRITE_FROM_LINES = 4_096;
const SWEEPERS = 8;

/**
 * Leases outlive a process that is killed. The journal has every lease id and token accessor of a client on disk before
 * the lease is handed to its user, and gives back at opening what processes that died have left.
 */
export class LeaseJournal {
  readonly sweep: LeaseSweep;
  readonly #client: JournaledClient;
  readonly #file: JournalFile;
  readonly #logger: Logger;
  readonly #detach: (() => void)[];

  private constructor(
    client: JournaledClient,
    file: JournalFile,
    logger: Logger,
    detach: (() => void)[],
    sweep: LeaseSweep,
  ) {
    this.#client = client;
    this.#file = file;
    this.#logger = logger;
    this.#detach = detach;
    this.sweep = sweep;
  }

  /**
   * Open it right after the client and before the first lease. Revoking what others left needs `update` on
   * `sys/leases/revoke`; with it on `auth/token/revoke-accessor` as well, their tokens end too, and with those whatever
   * was leased and never heard of.
   */
  static async open(client: JournaledClient, options: LeaseJournalOptions): Promise<LeaseJournal> {
    const { folder, logger = silentLogger, signal } = options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const file = new JournalFile(join(folder, `${process.pid}-${randomUUID()}${SUFFIX}`), linesOf(client));
    const detach = [
      client.leases.onChange((event) => record(file, client, event)),
      client.onTokenReplaced(() => file.append({ accessor: client.token.accessor })),
    ];
    try {
      const sweep = await sweepDead(client, { folder, own: file.path, logger, signal });
      return new LeaseJournal(client, file, logger, detach, sweep);
    } catch (error) {
      for (const stop of detach) stop();
      file.close({ remove: client.leases.size === 0 });
      throw error;
    }
  }

  /** Close it after the client. Leases that the client could not revoke stay in the journal for the next opening. */
  close(): void {
    for (const stop of this.#detach.splice(0)) stop();
    const left = this.#client.leases.size;
    if (left > 0) this.#logger.warn({ left }, 'leases are left in the journal');
    this.#file.close({ remove: left === 0 });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function linesOf({ token, leases }: JournaledClient): JournalLine[] {
  const held = leases.list().map(({ leaseId }) => ({ lease: leaseId }));
  return [{ owner: ownProcess() }, { accessor: token.accessor }, ...held];
}

function record(file: JournalFile, client: JournaledClient, { type, lease: { leaseId } }: LeaseEvent): void {
  if (type === 'obtained') file.append({ lease: leaseId });
  if (type !== 'gone' && type !== 'revoked') return;
  file.append({ gone: leaseId });
  if (file.lines > REWRITE_FROM_LINES && file.lines > 4 * client.leases.size) file.rewrite(linesOf(client));
}

async function sweepDead(
  client: JournaledClient,
  options: { folder: string; own: string; logger: Logger; signal: AbortSignal | undefined },
): Promise<LeaseSweep> {
  const { folder, own, logger, signal } = options;
  let revoked = 0;
  let left = 0;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!name.endsWith(SUFFIX) || path === own) continue;
    const { owner, accessors, leases } = readJournal(path);
    // Without an owner it was torn before anything was leased.
    if (owner !== undefined && !isOver(owner)) continue;
    const failed = await revokeAll(client, [...leases], { logger, signal });
    revoked += leases.size - failed;
    left += failed;
    if (failed > 0) continue;
    for (const accessor of accessors) await revokeAccessor(client, accessor, { logger, signal });
    unlinkSync(path);
    logger.info({ leases: leases.size, pid: owner?.pid }, 'revoked the leases of a process that died');
  }
  return { revoked, left };
}

interface SweepOptions {
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

/** A few at a time. Gives back how many failed. */
async function revokeAll(client: JournaledClient, leaseIds: string[], options: SweepOptions): Promise<number> {
  let failed = 0;
  const sweeper = async (): Promise<void> => {
    for (let leaseId = leaseIds.pop(); leaseId !== undefined; leaseId = leaseIds.pop()) {
      try {
        await revokeLease((call) => client.request(call), leaseId, options.signal);
      } catch (error) {
        options.signal?.throwIfAborted();
        failed += 1;
        options.logger.warn({ leaseId, cause: messageOf(error) }, 'a lease of a dead process was not revoked');
      }
    }
  };
  await Promise.all(Array.from({ length: SWEEPERS }, sweeper));
  return failed;
}

/** A token that is gone is what was wanted, and one that may not be revoked ends by itself. */
async function revokeAccessor(client: JournaledClient, accessor: string, options: SweepOptions): Promise<void> {
  const path = 'auth/token/revoke-accessor';
  try {
    const { signal } = options;
    await client.request({
      method: 'POST',
      path,
      body: { accessor },
      operation: 'token.revoke-accessor',
      safe: true,
      signal,
    });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!isVaultError(error)) throw error;
    options.logger.debug({ accessor, cause: messageOf(error) }, 'the token of a dead process was not revoked');
  }
}
