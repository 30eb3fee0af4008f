import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DATABASE_ROLES, KV_PATHS } from '@neural-hive/contracts';
import { kvSecret, RotatingCredential, rotateKvUser, type UserAdmin } from '@neural-hive/security/credentials';
import { LeaseJournal, tokenAuth, VaultClient } from '@neural-hive/security/vault';
import { describe, expect, test } from 'vitest';
import { USER_ADMIN_PATHS, USER_ROTATOR_ROLE } from '../setup/names.ts';

/** A server that holds the setup of the platform, with its PostgreSQL. */
export interface PolicyTarget {
  readonly address: string;
  /** PEM. */
  readonly ca: string;
  readonly root: VaultClient;
}

/** Of no process: the kernel gives out no number so high. */
const DEAD = { host: hostname(), pid: 2 ** 30, started: '1' };
const REFUSED = { code: 'permission-denied' };

/** What rotations and sweeps may do, and what they may not, judged by a server. */
export function describeRotationPolicies(target: () => PolicyTarget): void {
  /** A client that may do what one policy allows. */
  const as = async (policy: string): Promise<VaultClient> => {
    const { root, address, ca } = target();
    const body = { policies: [policy], no_default_policy: true, ttl: '300s' };
    const { auth } = await root.request({ method: 'POST', path: 'auth/token/create', body });
    return VaultClient.open({ address, ca, auth: tokenAuth({ token: auth?.token.reveal() ?? '' }) });
  };

  describe('users whose logins are in KV', () => {
    test('are replaced by the rotator while a service says what it uses, without any other right', async () => {
      await using rotator = await as(USER_ROTATOR_ROLE);
      await using service = await as('orchestrator-dynamic');
      const path = KV_PATHS.orchestratorKafka;
      const live = new Set<string>();
      const users: UserAdmin = {
        createUser: async ({ username }) => void live.add(username),
        deleteUser: async (username) => void live.delete(username),
      };
      const options = { client: rotator, path, users, pollMs: 50, deadlineMs: 60_000 };
      await rotateKvUser(options);
      const provider = kvSecret(service, path, { consumer: 'orchestrator-1', pollMs: 50 });
      const credential = await RotatingCredential.open({ provider });
      const { username, behind, previous } = await rotateKvUser(options);
      expect([behind, [...live], credential.current().value]).toMatchObject([[], [username], { username }]);
      expect(previous).not.toBe(username);
      await credential.close();
    });

    test('are made with a login that the rotator reads and cannot change', async () => {
      const { root } = target();
      await using rotator = await as(USER_ROTATOR_ROLE);
      for (const path of Object.values(USER_ADMIN_PATHS)) {
        await root.kv().write(path, { username: 'root', password: 'p' });
        expect((await rotator.kv().read(path)).data).toEqual({ username: 'root', password: 'p' });
        await expect(rotator.kv().write(path, { username: 'mine' })).rejects.toMatchObject(REFUSED);
      }
    });

    test('a service changes neither a login nor the settings of its entry, and reports for no other', async () => {
      const { root } = target();
      await using service = await as('worker-agents');
      await root.kv().write(KV_PATHS.workerKafka, { username: 'a', password: 'p' });
      await service.kv().patchMetadata(KV_PATHS.workerKafka, { customMetadata: { 'generation.worker-1': '1' } });
      await expect(service.kv().write(KV_PATHS.workerKafka, { username: 'b' })).rejects.toMatchObject(REFUSED);
      const settings = service.kv().patchMetadata(KV_PATHS.workerKafka, { maxVersions: 1 });
      await expect(settings).rejects.toMatchObject(REFUSED);
      await root.kv().write(KV_PATHS.orchestratorKafka, { username: 'a', password: 'p' });
      const foreign = service.kv().patchMetadata(KV_PATHS.orchestratorKafka, { customMetadata: { x: '1' } });
      await expect(foreign).rejects.toMatchObject(REFUSED);
    });

    test('the rotator reads and writes nothing else, and deletes no entry', async () => {
      const { root } = target();
      await using rotator = await as(USER_ROTATOR_ROLE);
      await root.kv().write(KV_PATHS.workerKafka, { username: 'a', password: 'p' });
      expect((await rotator.kv().read(KV_PATHS.workerKafka)).data).toMatchObject({ username: 'a' });
      await root.kv().write(KV_PATHS.workerExecution, { key: 'value' });
      const kv = rotator.kv();
      const remove = (path: string) => rotator.request({ method: 'DELETE', path });
      for (const attempt of [
        () => kv.read(KV_PATHS.workerExecution),
        () => kv.write(KV_PATHS.workerExecution, {}),
        () => kv.patchMetadata(KV_PATHS.workerExecution, { customMetadata: { x: '1' } }),
        () => kv.writeMetadata(KV_PATHS.workerKafka, { maxVersions: 1 }),
        () => remove(`secret/metadata/${KV_PATHS.workerKafka}`),
        () => remove(`secret/data/${KV_PATHS.workerKafka}`),
      ]) {
        await expect(attempt()).rejects.toMatchObject(REFUSED);
      }
    });
  });

  describe('what a process that died has leased', () => {
    /** As if the process that had the client were gone: its journal is there and nobody gives anything back. */
    const leave = (folder: string, lines: readonly object[]): void =>
      writeFileSync(join(folder, 'dead.leases'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

    test.each([
      ['orchestrator-dynamic', DATABASE_ROLES.orchestrator],
      ['worker-agents', DATABASE_ROLES.workerTickets],
    ])('%s gives it back itself, and ends the old token', async (policy, role) => {
      const { root } = target();
      const folder = mkdtempSync(join(tmpdir(), 'sweep-'));
      await using died = await as(policy);
      const { leaseId } = await died.database().credentials(role);
      const { accessor } = died.token;
      leave(folder, [{ owner: DEAD }, { accessor }, { lease: leaseId }]);
      await using service = await as(policy);
      const journal = await LeaseJournal.open(service, { folder });
      expect(journal.sweep).toEqual({ revoked: 1, left: 0 });
      const lookup = (path: string, body: Record<string, unknown>) => root.request({ method: 'POST', path, body });
      await expect(lookup('sys/leases/lookup', { lease_id: leaseId })).rejects.toThrow();
      await expect(lookup('auth/token/lookup-accessor', { accessor })).rejects.toThrow();
      expect(readdirSync(folder)).toHaveLength(1);
      journal.close();
      rmSync(folder, { recursive: true });
    });

    test('is left to others where it is theirs', async () => {
      const { root } = target();
      const folder = mkdtempSync(join(tmpdir(), 'sweep-'));
      const foreign = await root.database().credentials(DATABASE_ROLES.orchestrator);
      leave(folder, [{ owner: DEAD }, { lease: foreign.leaseId }]);
      await using service = await as('worker-agents');
      const journal = await LeaseJournal.open(service, { folder });
      expect(journal.sweep).toEqual({ revoked: 0, left: 1 });
      journal.close();
      await foreign.revoke();
      rmSync(folder, { recursive: true });
    });

    test.each(['orchestrator-dynamic', 'worker-agents', 'service-registry', USER_ROTATOR_ROLE])(
      '%s cannot list the accessors of others, or end tokens by anything else',
      async (policy) => {
        await using service = await as(policy);
        await using other = await as('service-registry');
        const list = service.request({ method: 'LIST', path: 'auth/token/accessors' });
        await expect(list).rejects.toMatchObject(REFUSED);
        const byToken = service.request({ method: 'POST', path: 'auth/token/revoke', body: { token: 'hvs.x' } });
        await expect(byToken).rejects.toMatchObject(REFUSED);
        expect((await other.request({ method: 'GET', path: 'auth/token/lookup-self' })).data).toBeDefined();
      },
    );
  });
}
