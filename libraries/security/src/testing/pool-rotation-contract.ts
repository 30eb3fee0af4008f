import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type RotatingPool, rotatePool, rotatingListener, rotatingPool } from '../adapters/pg/index.ts';
import {
  CredentialError,
  databaseCredentials,
  RotatingCredential,
  type RotationOutcome,
} from '../credentials/index.ts';
import type { VaultClient } from '../vault/index.ts';
import type { TestRunner } from './vault-contract.ts';
import { ConfiguredVault, DATABASE_MOUNT, type VaultTarget } from './vault-target.ts';

const CONNECTIONS = 20;
const ROTATIONS = 10;
const PROBE = 'SELECT count(*) FROM contract_rows';

interface Load {
  readonly stop: () => Promise<{ done: number; failures: unknown[] }>;
  /** Operations finished so far. */
  readonly done: () => number;
}

/** Twenty users of the pool, each running transactions of 1 to 300 ms one after another. Nothing is repeated. */
function startLoad(pool: pg.Pool): Load {
  let running = true;
  let done = 0;
  const failures: unknown[] = [];
  const transaction = async (seconds: number): Promise<void> => {
    const client = await pool.connect();
    let broken = true;
    try {
      await client.query('BEGIN');
      await client.query('INSERT INTO contract_rows (note) VALUES ($1)', [`load ${seconds}`]);
      await client.query('SELECT pg_sleep($1)', [seconds]);
      await client.query('COMMIT');
      broken = false;
    } finally {
      client.release(broken);
    }
  };
  const user = async (): Promise<void> => {
    while (running) {
      try {
        await transaction((1 + Math.random() * 299) / 1_000);
        done += 1;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const users = Array.from({ length: CONNECTIONS }, user);
  return {
    done: () => done,
    async stop() {
      running = false;
      await Promise.all(users);
      return { done, failures };
    },
  };
}

/** Resolves once a user of the pool holds a connection inside a statement. */
async function untilBusy(vault: ConfiguredVault, username: string, pattern: string): Promise<void> {
  const text = 'SELECT 1 FROM pg_stat_activity WHERE usename = $1 AND state = $2 AND query LIKE $3';
  while ((await vault.observer.query(text, [username, 'active', pattern])).rowCount === 0) await delay(5);
}

/** The rotation contract on a real pool: revocation makes the role NOLOGIN, ends its sessions and drops it. */
export function describePoolRotation(openTarget: () => Promise<VaultTarget>, runner: TestRunner): void {
  const { describe, test, beforeAll, afterAll } = runner;
  let vault: ConfiguredVault;
  let client: VaultClient;

  describe('the pool rotation contract', () => {
    beforeAll(async () => {
      vault = await ConfiguredVault.open(await openTarget());
      await vault.jwtRole('pool', 600, 3_600);
      await vault.databaseRole('pool', 600, 3_600);
      client = await vault.login('pool');
    });
    afterAll(async () => {
      await client?.close();
      await vault?.close();
    });

    const socket = (): pg.PoolConfig => {
      const { host, port, database } = vault.target.postgres;
      return { host, port, database, max: CONNECTIONS };
    };
    const openCredential = (drainTimeoutMs: number) =>
      RotatingCredential.open({
        provider: databaseCredentials(client, 'pool', { mount: DATABASE_MOUNT }),
        drainTimeoutMs,
      });
    const rotateUnderLoad = async (pool: RotatingPool, credential: Awaited<ReturnType<typeof openCredential>>) => {
      const load = startLoad(pool);
      const outcomes: RotationOutcome[] = [];
      const usernames: string[] = [];
      for (let rotation = 0; rotation < ROTATIONS; rotation += 1) {
        const before = load.done();
        usernames.push(credential.current().value.username);
        outcomes.push(await credential.rotate('forced'));
        // Every rotation meets a pool in full use.
        while (load.done() < before + CONNECTIONS) await delay(5);
      }
      return { ...(await load.stop()), outcomes, usernames };
    };

    test('ten rotations under load fail nothing and leave no session of a dropped role', async () => {
      await using credential = await openCredential(5_000);
      const pool = rotatingPool(credential, socket(), { probeQuery: PROBE });
      const { done, failures, outcomes, usernames } = await rotateUnderLoad(pool, credential);
      assert.deepEqual(failures, []);
      assert.ok(done >= ROTATIONS * CONNECTIONS);
      assert.ok(outcomes.every(({ ok, terminated }) => ok && terminated === 0));
      assert.equal(pool.generation, ROTATIONS + 1);
      assert.deepEqual([...pool.sessions().keys()], [ROTATIONS + 1]);
      for (const username of usernames) assert.equal(await vault.hasRole(username), false);
      assert.equal(await vault.orphanSessions(), 0);
      await pool.end();
    });

    test('the same load without draining does fail, with errors that say why', async () => {
      await using credential = await openCredential(0);
      const pool = rotatingPool(credential, socket());
      const { failures, outcomes } = await rotateUnderLoad(pool, credential);
      assert.ok(outcomes.every(({ ok }) => ok));
      assert.ok(failures.length > 0, 'the load is too light to show a difference');
      assert.ok(failures.some((error) => error instanceof CredentialError && error.code === 'session-terminated'));
      assert.ok(outcomes.some(({ terminated }) => terminated > 0));
      await pool.end();
    });

    test('rotations of the token and of the login at the same moment fail nothing', async () => {
      await using owner = await vault.login('pool');
      const provider = databaseCredentials(owner, 'pool', { mount: DATABASE_MOUNT });
      await using credential = await RotatingCredential.open({ provider, drainTimeoutMs: 5_000 });
      const pool = rotatingPool(credential, socket());
      const load = startLoad(pool);
      await pool.query(PROBE);
      await Promise.all([owner.rotateToken(), credential.rotate(), credential.rotate(), owner.rotateToken()]);
      await owner.rotateToken();
      const { failures } = await load.stop();
      assert.deepEqual(failures, []);
      assert.equal(await vault.orphanSessions(), 0);
      const { generation } = owner.token;
      assert.deepEqual(
        owner.leases.list().map(({ tokenGeneration }) => tokenGeneration),
        [generation],
      );
      await pool.end();
    });

    test('connections that are being opened while the login is swapped work, and are gone when it is revoked', async () => {
      await using credential = await openCredential(5_000);
      const pool = rotatingPool(credential, socket());
      const opening: Promise<unknown>[] = [];
      const generations: number[] = [];
      // The last step before the swap: connections start with the old login and are ready after it.
      credential.attach({
        async probe() {
          for (let user = 0; user < CONNECTIONS; user += 1) opening.push(pool.query('SELECT pg_sleep(0.05)'));
          generations.push(...pool.sessions().keys());
        },
        publish: () => void generations.push(pool.idleCount),
        drain: async () => ({ terminated: 0 }),
      });
      const { username } = credential.current().value;
      const outcome = await credential.rotate();
      await Promise.all(opening);
      assert.deepEqual(generations.slice(0, 1), [1]);
      assert.equal(generations.at(-1), 0, 'no connection was ready at the swap');
      assert.ok(outcome.ok && outcome.terminated === 0);
      assert.equal(await vault.hasRole(username), false);
      assert.equal(await vault.orphanSessions(), 0);
      assert.ok([...pool.sessions().keys()].every((generation) => generation === 2));
      await pool.query(PROBE);
      await pool.end();
    });

    test('revoking right after the end of a pool ends no socket with an error', async () => {
      const errors: unknown[] = [];
      for (let round = 0; round < 10; round += 1) {
        const credential = await openCredential(5_000);
        const pool = new pg.Pool(socket());
        pool.on('error', (error) => errors.push(error));
        rotatePool(pool, credential);
        await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.query('SELECT 1')));
        await pool.end();
        await credential.close();
      }
      assert.deepEqual(errors, []);
    });

    test('an existing pool is moved off the login it was opened with', async () => {
      await using credential = await openCredential(5_000);
      const { user, password } = vault.target.postgres;
      const pool = new pg.Pool({ ...socket(), user, password });
      const who = async (): Promise<string> =>
        (await pool.query<{ who: string }>('SELECT current_user AS who')).rows[0]?.who ?? '';
      assert.equal(await who(), user);
      const busy = await pool.connect();
      const rotation = rotatePool(pool, credential, { probeQuery: PROBE });
      assert.equal(await who(), credential.current().value.username);
      busy.release();
      assert.equal(await who(), credential.current().value.username);
      assert.equal((await credential.rotate()).ok, true);
      assert.equal(await who(), credential.current().value.username);
      assert.equal(rotation.generation, 2);
      await pool.end();
    });

    test('a statement that outlasts the drain ends with a typed error, also for later use of its client', async () => {
      await using credential = await openCredential(100);
      const pool = rotatingPool(credential, socket());
      const lent = await pool.connect();
      const { username } = credential.current().value;
      const statement = assert.rejects(lent.query('SELECT pg_sleep(30)'), (error) => {
        assert.ok(error instanceof CredentialError);
        assert.equal(error.code, 'session-terminated');
        assert.equal(error.retryable, true);
        return true;
      });
      await untilBusy(vault, username, 'SELECT pg_sleep(30)');
      const outcome = await credential.rotate();
      assert.equal(outcome.terminated, 1);
      await statement;
      await assert.rejects(lent.query('SELECT 1'), CredentialError);
      lent.release();
      await pool.query('SELECT 1');
      assert.equal(await vault.orphanSessions(), 0);
      await pool.end();
    });

    test('connections are open before a pool moves, and those that nobody took are gone after the drain', async () => {
      await using credential = await openCredential(5_000);
      const pool = rotatingPool(credential, socket(), { warmConnections: 5 });
      const open: number[] = [];
      const sessionsOf = async (): Promise<number> =>
        (
          await vault.observer.query('SELECT 1 FROM pg_stat_activity WHERE usename = $1', [
            credential.current().value.username,
          ])
        ).rowCount ?? 0;
      credential.attach({
        async publish() {
          await Promise.all(Array.from({ length: 3 }, () => pool.query('SELECT pg_sleep(0.05)')));
          open.push(await sessionsOf(), pool.totalCount);
        },
        drain: async () => ({ terminated: 0 }),
      });
      await pool.query(PROBE);
      assert.equal((await credential.rotate()).ok, true);
      // The pool took three of them and made none.
      assert.deepEqual(open, [5, 3]);
      while ((await sessionsOf()) !== 3) await delay(5);
      await pool.end();
      assert.equal(await sessionsOf(), 0);
    });

    test('a login that cannot do the work is refused by the probe and the old one stays', async () => {
      await using credential = await openCredential(1_000);
      const pool = rotatingPool(credential, socket(), { probeQuery: PROBE });
      await pool.query(PROBE);
      await vault.observer.query('REVOKE SELECT ON contract_rows FROM contract_rw');
      const refused = await credential.rotate();
      await vault.observer.query('GRANT SELECT ON contract_rows TO contract_rw');
      assert.equal(refused.ok, false);
      assert.ok(refused.error instanceof CredentialError && refused.error.code === 'probe-failed');
      assert.equal(pool.generation, 1);
      await pool.query(PROBE);
      assert.equal((await credential.rotate()).ok, true);
      assert.equal(pool.generation, 2);
      // What the refused rotation had leased is gone too.
      assert.equal(client.leases.list().length, 1);
      await pool.end();
    });

    test('a listener misses no notification over ten rotations', async () => {
      await using credential = await openCredential(5_000);
      const heard = new Set<string>();
      const { host, port, database } = vault.target.postgres;
      const listener = await rotatingListener(credential, { host, port, database }, ['contract'], ({ payload }) => {
        heard.add(payload);
      });
      let sent = 0;
      let sending = true;
      const sender = (async () => {
        while (sending) {
          sent += 1;
          await vault.observer.query("SELECT pg_notify('contract', $1)", [String(sent)]);
        }
      })();
      for (let rotation = 0; rotation < ROTATIONS; rotation += 1) assert.ok((await credential.rotate()).ok);
      sending = false;
      await sender;
      while (!heard.has(String(sent))) await delay(5);
      assert.equal(heard.size, sent);
      assert.equal(listener.generation, ROTATIONS + 1);
      await listener.close();
    });

    test('a listener whose session is ended listens again and says so', async () => {
      await using credential = await openCredential(1_000);
      const { host, port, database } = vault.target.postgres;
      const heard: string[] = [];
      let announce: () => void = () => undefined;
      const reconnected = new Promise<void>((resolve) => {
        announce = resolve;
      });
      const onNotification = ({ payload }: { payload: string }): void => void heard.push(payload);
      const config = { host, port, database };
      const options = { onReconnect: () => announce() };
      const listener = await rotatingListener(credential, config, ['contract'], onNotification, options);
      const { username } = credential.current().value;
      await vault.observer.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [
        username,
      ]);
      await reconnected;
      await vault.observer.query("NOTIFY contract, 'again'");
      while (heard.length === 0) await delay(5);
      assert.deepEqual(heard, ['again']);
      await listener.close();
    });
  });
}
