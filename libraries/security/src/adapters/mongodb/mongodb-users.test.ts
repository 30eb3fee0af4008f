import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from '../../common/index.ts';
import { mongodbUsers } from './mongodb-users.ts';

interface User {
  readonly pwd: unknown;
  readonly roles: unknown;
}

/** The user commands of a MongoDB server, as its manual describes them. */
class Server {
  readonly users = new Map<string, User>([['a', { pwd: 'old', roles: [{ role: 'readWrite', db: 'plans' }] }]]);

  async command(command: Record<string, unknown>): Promise<Record<string, unknown>> {
    const [[verb, name] = []] = Object.entries(command);
    const username = String(name);
    const user = this.users.get(username);
    const fail = (code: number) => Object.assign(new Error(`${verb} ${username}`), { code });
    if (verb === 'usersInfo') return { users: user === undefined ? [] : [{ user: username, ...user }] };
    if (verb === 'createUser' && user !== undefined) throw fail(51_003);
    if (verb !== 'createUser' && user === undefined) throw fail(11);
    if (verb === 'dropUser') this.users.delete(username);
    else this.users.set(username, { pwd: command.pwd, roles: command.roles });
    return { ok: 1 };
  }
}

const login = (username: string, password = 'new') => ({ username, password: new Secret(password) });

test('a new user has the roles of the one it replaces', async () => {
  const server = new Server();
  await mongodbUsers(server).createUser(login('b'), { previous: 'a' });
  expect(server.users.get('b')).toEqual({ pwd: 'new', roles: [{ role: 'readWrite', db: 'plans' }] });
  const unknown = mongodbUsers(server).createUser(login('c'), { previous: 'nobody' });
  await expect(unknown).rejects.toMatchObject({ code: 'no-such-user', message: expect.stringContaining('nobody') });
});

test('the first user has the roles that were given, and creating it again sets its password', async () => {
  const server = new Server();
  const users = mongodbUsers(server, { roles: [{ role: 'read', db: 'x' }] });
  await users.createUser(login('b'), {});
  await users.createUser(login('b', 'newer'), {});
  expect(server.users.get('b')).toEqual({ pwd: 'newer', roles: [{ role: 'read', db: 'x' }] });
});

test('deleting a user that is gone is no failure', async () => {
  const server = new Server();
  const users = mongodbUsers(server);
  await users.deleteUser('a', {});
  await users.deleteUser('a', {});
  expect(server.users.size).toBe(0);
});

test.each([
  [18, 'login-refused'],
  [13, 'refused'],
  [undefined, 'unreachable'],
])('a failure with the code %s of the server is %s, and shows no password', async (code, expected) => {
  const users = mongodbUsers({
    command: (command) => Promise.reject(Object.assign(new Error('no'), { command, code })),
  });
  for (const work of [users.createUser(login('b', 'very-secret'), {}), users.deleteUser('b', {})]) {
    const failure: unknown = await work.catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: expected, retryable: code === undefined });
    expect(inspect(failure, { depth: 9 }) + JSON.stringify(failure)).not.toContain('very-secret');
  }
});
