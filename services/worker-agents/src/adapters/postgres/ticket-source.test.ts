import { openPostgresStage } from '../../testing/postgres-stage.ts';
import { ticketSourceContract } from '../../testing/ticket-source-contract.ts';

ticketSourceContract('PostgreSQL', openPostgresStage);
