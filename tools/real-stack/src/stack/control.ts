import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { RealStackError } from '../real-stack-error.ts';

/** How one component is. */
export interface ComponentState {
  readonly name: string;
  readonly version: string;
  readonly healthy: boolean;
  readonly log: string;
}

export interface RunState {
  readonly pid: number;
  readonly components: readonly ComponentState[];
}

/** What another process may ask of a run. */
export interface Controlled {
  state(): Promise<RunState>;
  /** Variables of the components of those names; of all without names. */
  environment(names: readonly string[]): Readonly<Record<string, string>>;
  /** Ends those components, all without names, and resolves with the names of those that ended. */
  stop(names: readonly string[]): Promise<readonly string[]>;
}

/** Answers on a socket that only this user can open. */
export async function serveControl(socket: string, controlled: Controlled): Promise<Server> {
  const server = createServer(async (incoming, answer) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://run');
    const names = searchParams.getAll('component');
    const paths: Readonly<Record<string, () => unknown>> = {
      '/status': () => controlled.state(),
      '/env': () => controlled.environment(names),
      '/stop': () => controlled.stop(names),
    };
    const path = paths[pathname];
    answer.statusCode = path === undefined ? 404 : 200;
    answer.setHeader('connection', 'close');
    answer.end(JSON.stringify(path === undefined ? {} : await path()));
  });
  server.listen(socket);
  await once(server, 'listening');
  chmodSync(socket, 0o600);
  return server;
}

type Question = 'status' | 'env' | 'stop';

/** Asks the run at that socket; undefined when there is none. */
export function askRun<T>(socket: string, question: Question, names: readonly string[] = []): Promise<T | undefined> {
  const query = names.map((name) => `component=${encodeURIComponent(name)}`).join('&');
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: socket, path: `/${question}?${query}`, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve(JSON.parse(text) as T));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(new RealStackError('command_failed', `Asking the run failed: ${error.message}`, { cause: error }));
    });
    outgoing.end();
  });
}
