import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedPostgres, type StartOptions, startPostgres } from '@neural-hive/embedded-postgres';

const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 5_000;

/**
 * A durable server that is started again, with growing delays, when it dies before `stop`. Socket, port and superuser
 * stay the same; who was connected connects again.
 */
export async function superviseDatabase(
  options: StartOptions & { readonly dataFolder: string },
  onRestart: (why: string) => void,
): Promise<EmbeddedPostgres> {
  const superuserPassword = randomBytes(24).toString('base64url');
  const launch = (): Promise<EmbeddedPostgres> => startPostgres({ superuserPassword, ...options });
  const stopping = new AbortController();
  let server = await launch();

  const restart = async (): Promise<void> => {
    for (let waitMs = FIRST_RESTART_MS; ; waitMs = Math.min(LONGEST_RESTART_MS, waitMs * 2)) {
      await delay(waitMs, undefined, { signal: stopping.signal });
      try {
        server = await launch();
        return;
      } catch (error) {
        onRestart(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      const code = await server.exited;
      if (stopping.signal.aborted) return;
      onRestart(`exit ${code}`);
      await restart().catch(() => undefined);
    }
  })();

  const stop: EmbeddedPostgres['stop'] = async (mode) => {
    stopping.abort();
    await server.stop(mode);
    await watching;
    // One that was being started meanwhile.
    await server.stop(mode);
  };
  const { socketFolder, port, superuser, database, binary, source, majorVersion, dataFolder } = server;
  return {
    ...{ socketFolder, port, superuser, database, binary, source, majorVersion, dataFolder },
    get pid() {
      return server.pid;
    },
    /** Of the server that runs now. */
    get exited() {
      return server.exited;
    },
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}
