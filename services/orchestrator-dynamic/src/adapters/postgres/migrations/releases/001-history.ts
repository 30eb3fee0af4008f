/** The release history that a QUERY ticket reads: one row a completed DEPLOY ticket. */
export const sql = `
create view releases.history as
  select release_id, target, plan_id, ticket_id, released_at, undone_at from tickets.deployment;

comment on view releases.history is 'One row a completed DEPLOY ticket; undone_at is set once it was compensated';
grant usage on schema releases to releases_ro, releases_rw;
grant select on releases.history to releases_ro, releases_rw;
`;
