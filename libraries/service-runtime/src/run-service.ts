import { messageOf } from '@neural-hive/security/common';
import { ConfigError } from './config.ts';
import { createLogger, LOG_LEVELS, type Logger, scrubSecrets } from './logger.ts';
import { watchParent } from './parent-watch.ts';
import { createServiceMetrics, type ServiceMetrics } from './service-metrics.ts';

export interface ServiceContext {
  readonly log: Logger;
  readonly metrics: ServiceMetrics;
  /** Aborted when the service has to stop, also while `open` runs. */
  readonly signal: AbortSignal;
}

export interface OpenService {
  /** Goes into the line that tells the supervisor where the service listens. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Drains and closes everything; called once. */
  close(): Promise<void>;
}

export interface ServiceDefinition {
  readonly name: string;
  open(context: ServiceContext): Promise<OpenService>;
}

/** Exit codes of a service process. */
export const SERVICE_EXIT = { stopped: 0, failed: 1, environment: 3 } as const;

const CLOSE_LIMIT_MS = 8_000;
const ORPHAN_CLOSE_LIMIT_MS = 1_500;

/** What the system refuses for reasons that only the person who starts the service can change. */
const ENVIRONMENT_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there: stop it or choose another port',
  EACCES: 'this user may not: choose another port or folder, or grant the access',
  EROFS: 'the file system is read-only: choose another folder',
  ENOSPC: 'the disk is full: make room',
};

/**
 * The life of a service process. Opens the service, prints one line of JSON on standard output when it is ready
 * (`{"ready":true,"service":…}`), closes it on SIGTERM, SIGINT, or, with `HIVE_PARENT_PIPE=1`, the end of standard
 * input. Exit codes: 0 stopped, 1 failed, 3 the configuration or the environment is wrong (one line for each problem on
 * standard error).
 */
export function runService({ name, open }: ServiceDefinition): void {
  const level = process.env.LOG_LEVEL?.toLowerCase() || 'info';
  if (!LOG_LEVELS.includes(level)) {
    process.stderr.write(`${name}: LOG_LEVEL: must be one of ${LOG_LEVELS.join(', ')}\n`);
    process.exit(SERVICE_EXIT.environment);
  }
  const log = createLogger({ name, level });
  const aborting = new AbortController();
  // Timers of the library do not keep a process alive, and while the service opens there may be nothing else.
  const alive = setInterval(() => undefined, 60_000);
  let stopping = false;

  const opening = Promise.resolve().then(() => open({ log, metrics: createServiceMetrics(), signal: aborting.signal }));

  const exit = (code: number): void => {
    clearInterval(alive);
    process.exit(code);
  };

  const stop = (why: string, limitMs: number, code: number): void => {
    if (stopping) {
      if (why === 'SIGTERM' || why === 'SIGINT') exit(SERVICE_EXIT.failed);
      return;
    }
    stopping = true;
    log.info({ why }, 'stopping');
    aborting.abort(new Error(`${name} stops: ${why}`));
    setTimeout(() => {
      log.error({ limitMs }, 'the service did not close in time');
      exit(SERVICE_EXIT.failed);
    }, limitMs);
    opening
      .then(
        (service) => service.close(),
        () => undefined,
      )
      .then(
        () => exit(code),
        (error: unknown) => {
          log.error({ error: messageOf(error) }, 'closing failed');
          exit(SERVICE_EXIT.failed);
        },
      );
  };

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => stop(signal, CLOSE_LIMIT_MS, SERVICE_EXIT.stopped));
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error }, `${event}: a defect`);
      stop(event, CLOSE_LIMIT_MS, SERVICE_EXIT.failed);
    });
  }
  if (process.env.HIVE_PARENT_PIPE === '1') {
    watchParent(() => stop('the supervisor is gone', ORPHAN_CLOSE_LIMIT_MS, SERVICE_EXIT.stopped));
  }

  opening.then(
    ({ ready }) => {
      if (!stopping) process.stdout.write(`${JSON.stringify({ ready: true, service: name, ...ready })}\n`);
    },
    (error: unknown) => {
      if (stopping) return;
      const lines = problemLines(error);
      for (const line of lines ?? [`cannot start: ${messageOf(error)}`]) {
        process.stderr.write(`${scrubSecrets(`${name}: ${line}`)}\n`);
      }
      if (lines === undefined) log.debug({ err: error }, 'cannot start');
      exit(lines === undefined ? SERVICE_EXIT.failed : SERVICE_EXIT.environment);
    },
  );
}

/** One line for each thing to change outside of the service, or undefined when that is not the cause. */
export function problemLines(error: unknown): readonly string[] | undefined {
  if (error instanceof ConfigError) return error.problems;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const advice = typeof code === 'string' ? ENVIRONMENT_ERRORS[code] : undefined;
  return advice === undefined ? undefined : [`${messageOf(error)}: ${advice}`];
}
