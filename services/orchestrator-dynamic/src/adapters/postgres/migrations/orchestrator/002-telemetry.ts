/** What those who watch all plans are told, in the order of the commits: a reader that goes on behind a line misses none. */
export const sql = `
create table orchestrator.telemetry (
  xid     xid8 not null default pg_current_xact_id(),
  seq     bigint generated always as identity,
  plan_id text not null,
  event   jsonb not null,
  primary key (xid, seq)
);
grant select, insert on orchestrator.telemetry to orchestrator_rw;
`;
