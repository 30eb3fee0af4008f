/** Tickets that were given up after every attempt, until somebody has tried again. */
export const sql = `
create table orchestrator.dead_letter (
  ticket_id  text primary key,
  plan_id    text not null,
  letter     jsonb not null,
  at         timestamptz not null default clock_timestamp(),
  -- What was made of it: the ticket or the plan that tries again.
  retried_as text,
  retried_by text,
  retried_at timestamptz
);
create index dead_letter_newest on orchestrator.dead_letter (at desc, ticket_id);
grant select, insert, update on orchestrator.dead_letter to orchestrator_rw;

alter table orchestrator.audit drop constraint audit_action_check;
alter table orchestrator.audit add constraint audit_action_check
  check (action in ('submit', 'approve', 'reject', 'cancel', 'pause', 'resume', 'retry'));
`;
