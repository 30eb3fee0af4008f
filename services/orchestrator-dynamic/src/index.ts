export { MIGRATIONS, type Migration } from './adapters/postgres/migrations/index.ts';
export {
  MigrationError,
  type MigrationErrorCode,
  type MigrationOutcome,
  runMigrations,
} from './adapters/postgres/run-migrations.ts';
export * from './domain/index.ts';
