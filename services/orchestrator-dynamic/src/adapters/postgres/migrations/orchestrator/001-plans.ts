/** Plan store, event record, timers, progress, idempotency keys and the audit trail. */
export const sql = `
create table orchestrator.plan (
  plan_id        text primary key,
  status         text not null,
  final          boolean not null default false,
  seq            bigint not null,
  -- Written once: the plan as accepted and the decision it came with.
  document       jsonb not null,
  decision       jsonb not null,
  -- The reducer's state without its tickets, which lie in plan_ticket so that an event rewrites only what it changed.
  state          jsonb not null,
  submitted_by   text not null,
  created_at     timestamptz not null default clock_timestamp(),
  updated_at     timestamptz not null default clock_timestamp()
);
create index plan_open on orchestrator.plan (status) where not final;
create index plan_newest on orchestrator.plan (created_at desc);

create table orchestrator.plan_ticket (
  plan_id   text not null references orchestrator.plan on delete cascade,
  ticket_id text not null,
  position  int not null,
  state     jsonb not null,
  primary key (plan_id, ticket_id)
);

-- An event is recorded in the transaction that applies it; a repeated id is a no-op.
create table orchestrator.event (
  plan_id  text not null references orchestrator.plan on delete cascade,
  event_id text not null,
  seq      bigint not null,
  event    jsonb not null,
  at_ms    bigint not null,
  primary key (plan_id, event_id),
  unique (plan_id, seq)
);

create table orchestrator.progress (
  plan_id text not null references orchestrator.plan on delete cascade,
  seq     bigint not null,
  line    jsonb not null,
  primary key (plan_id, seq)
);

create table orchestrator.timer (
  plan_id    text not null references orchestrator.plan on delete cascade,
  timer_id   text not null,
  fire_at_ms bigint not null,
  primary key (plan_id, timer_id)
);
create index timer_due on orchestrator.timer (fire_at_ms);

-- Outlives the plan it names: the same key with other content is a conflict for ever.
create table orchestrator.idempotency_key (
  key        text primary key,
  sha256     text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null default clock_timestamp()
);

create table orchestrator.audit (
  audit_id  bigint generated always as identity primary key,
  at        timestamptz not null default clock_timestamp(),
  plan_id   text not null,
  action    text not null check (action in ('submit', 'approve', 'reject', 'cancel', 'pause', 'resume')),
  spiffe_id text not null,
  detail    jsonb not null default '{}'
);
create index audit_plan on orchestrator.audit (plan_id, audit_id);

grant usage on schema orchestrator to orchestrator_rw;
grant select, insert, update on orchestrator.plan, orchestrator.plan_ticket to orchestrator_rw;
grant select, insert on orchestrator.event, orchestrator.progress, orchestrator.idempotency_key to orchestrator_rw;
grant select, insert, update, delete on orchestrator.timer to orchestrator_rw;
-- Append only: nobody who runs the service can change what was recorded about it.
grant select, insert on orchestrator.audit to orchestrator_rw;
`;
