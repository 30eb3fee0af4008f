import { KV_PATHS } from '@neural-hive/contracts';
import { kvSecret, parseLogin } from '@neural-hive/security/credentials';
import { rotatingListener } from '@neural-hive/security/pg';
import { injectedSecret, rotatingEntry } from '@neural-hive/service-runtime';
import type pg from 'pg';
import { AnnouncementEcho, ECHO_CHANNEL } from './adapters/postgres/announcement-echo.ts';
import { PostgresPlanEngine } from './adapters/postgres/plan-engine.ts';
import type { OrchestratorConfig } from './config.ts';
import { type EngineParts, type OpenEngine, openCredential } from './engine-parts.ts';

const RESULTS_CHANNEL = 'tickets_results';

export function placeOf({ postgres }: OrchestratorConfig): pg.ClientConfig {
  const { host, port, database, tls } = postgres;
  return { host, port, database, ...(tls && { ssl: true }), application_name: 'orchestrator-dynamic' };
}

/** Opens the engine over PostgreSQL, woken by what the ticket transport announces there. */
export async function openEmbeddedEngine(parts: EngineParts): Promise<OpenEngine> {
  const { admission, client, config, context, metrics, policy, pool, resources, vault } = parts;
  const { log } = context;
  const engine = resources.use(
    await PostgresPlanEngine.open({ pool, admission, policy, ...config.engine, log, metrics }),
  );
  const login = await openCredential(
    parts,
    injectedSecret({ folder: config.injectedSecrets, file: 'kafka', parse: parseLogin, logger: log }) ??
      kvSecret(client, KV_PATHS.orchestratorKafka, {
        mount: config.security.vault.mounts.kv,
        pollMs: config.kvPollMs,
        parse: parseLogin,
      }),
  );
  vault.hold(login);
  const echo = new AnnouncementEcho(pool);
  // Plans that were announced while nobody listened are found by the engine's poll.
  resources.use(
    await rotatingListener(
      login,
      placeOf(config),
      [RESULTS_CHANNEL, ECHO_CHANNEL],
      ({ channel, payload }) => (channel === ECHO_CHANNEL ? echo.received(payload) : engine.wake(payload)),
      { logger: log },
    ),
  );
  return {
    engine,
    list(board) {
      board.register(rotatingEntry(login, { kind: 'kv', operate: ({ signal }) => echo.roundTrip(signal) }));
    },
    async check() {
      // The database is what everything needs: it is looked at anyway.
    },
  };
}
