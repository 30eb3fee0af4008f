import { PRIORITIES } from '@neural-hive/contracts';
import { NeuralHiveError } from '@neural-hive/security/common';
import type { ClientBase } from 'pg';
import type { PlanCommand } from '../../domain/index.ts';
import { buryTicket } from './dead-letters.ts';

/** A ticket was to be cancelled that a worker has just taken or finished: apply that, then decide again. */
export class ClaimedMeanwhileError extends NeuralHiveError<'claimed_meanwhile'> {
  constructor(ticketId: string) {
    super('claimed_meanwhile', `Ticket ${ticketId} was taken or finished before it could be cancelled`, {
      retryable: true,
    });
  }
}

/** Carries out what was decided, one after another in the order given, in the caller's transaction. */
export async function carryOut(client: ClientBase, planId: string, commands: readonly PlanCommand[]): Promise<void> {
  for (const command of commands) await carryOutOne(client, planId, command);
}

async function carryOutOne(client: ClientBase, planId: string, command: PlanCommand): Promise<void> {
  switch (command.type) {
    case 'admit':
      // The status says it durably: the engine asks the registry once this is committed.
      return;
    case 'publishTicket': {
      const { ticket } = command;
      await client.query('select tickets.publish($1, $2, $3, $4)', [
        ticket.retry_count,
        PRIORITIES.indexOf(ticket.priority),
        JSON.stringify(ticket),
        Math.round(command.rankMs),
      ]);
      return;
    }
    case 'cancelTicket': {
      const { rows } = await client.query<{ was: string | null }>('select tickets.cancel($1, $2) as was', [
        command.ticketId,
        command.claimed,
      ]);
      const was = rows[0]?.was;
      if (was === 'finished' || (was === 'claimed' && !command.claimed)) {
        throw new ClaimedMeanwhileError(command.ticketId);
      }
      return;
    }
    case 'postponeTicket':
      await client.query('select tickets.postpone($1)', [JSON.stringify(command.ticket)]);
      return;
    case 'pausePlan':
      await client.query('select tickets.pause($1)', [planId]);
      return;
    case 'resumePlan':
      await client.query('select tickets.resume($1)', [planId]);
      return;
    case 'buryTicket':
      await buryTicket(client, command.letter);
      return;
    case 'setTimer':
      await client.query(
        `insert into orchestrator.timer (plan_id, timer_id, fire_at_ms) values ($1, $2, $3)
         on conflict (plan_id, timer_id) do update set fire_at_ms = excluded.fire_at_ms`,
        [planId, command.timerId, Math.round(command.fireAtMs)],
      );
      return;
    case 'clearTimer':
      await client.query('delete from orchestrator.timer where plan_id = $1 and timer_id = $2', [
        planId,
        command.timerId,
      ]);
      return;
    case 'finishPlan':
      await client.query('select tickets.resume($1)', [planId]);
      await client.query('delete from orchestrator.timer where plan_id = $1', [planId]);
  }
}
