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
  await expect(mongodbUsers(server).createUser(login('c'), { previous: 'nobody' })).rejects.toThrow('nobody');
});

test('the first user has the roles that were given, and creating it again sets its password', async () => {
  const server = new Server();
  const users = mongodbUsers(server, { roles: [{ role: 'read', db: 'x' }] });
  await users.createUser(login('b'), {});
  await users.createUser(login('b', 'newer'), {});
  expect(server.users.get('b')).toEqual({ pwd: 'newer', roles: [{ role: 'read', db: 'x' }] });
});

test('deleting a user that is gone is no failure, and no error shows a password', async () => {
  const server = new Server();
  const users = mongodbUsers(server);
  await users.deleteUser('a', {});
  await users.deleteUser('a', {});
  expect(server.users.size).toBe(0);
  const broken = mongodbUsers({
    command: (command) => Promise.reject(Object.assign(new Error('no'), { command })),
  });
  const failure = await broken.createUser(login('b', 'very-secret'), {}).catch((error: unknown) => error);
  expect(JSON.stringify(failure) + String(failure)).not.toContain('very-secret');
});
