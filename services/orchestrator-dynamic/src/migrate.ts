#!/usr/bin/env node
import { messageOf } from '@neural-hive/security/common';
import { ConfigError, createLogger, SERVICE_EXIT } from '@neural-hive/service-runtime';
import { migrateSchemas } from './migration/migrate-schemas.ts';
import { migrationConfig } from './migration/migration-config.ts';

/** Brings the database up to date and ends: before the services of a new version start. Exit codes as of a service. */
async function main(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => stop.abort(new Error(`the migration stops: ${signal}`)));
  }
  try {
    const logger = createLogger({ name: 'migrate', level: 'info' });
    const outcomes = await migrateSchemas(migrationConfig(), { logger, signal: stop.signal });
    process.stdout.write(`${JSON.stringify({ migrated: outcomes })}\n`);
    return SERVICE_EXIT.stopped;
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [messageOf(error)];
    for (const problem of problems) process.stderr.write(`migrate: ${problem}\n`);
    return error instanceof ConfigError ? SERVICE_EXIT.environment : SERVICE_EXIT.failed;
  }
}

process.exitCode = await main();
