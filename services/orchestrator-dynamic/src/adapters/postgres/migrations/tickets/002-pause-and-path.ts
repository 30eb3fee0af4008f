/**
 * A paused plan's tickets stay where they are: nobody claims them, also not from a holder that went silent, until the
 * plan is resumed. Within a priority what has the longest path behind it comes first, and what waits gains on it.
 */
export const sql = `
create table tickets.pause (
  plan_id text primary key,
  since   timestamptz not null default clock_timestamp()
);

alter table tickets.ticket add column rank_ms bigint;
update tickets.ticket set rank_ms = floor(extract(epoch from created_at) * 1000);
alter table tickets.ticket alter column rank_ms set not null;
drop index tickets.ticket_queue;
create index ticket_queue on tickets.ticket (task_type, priority desc, rank_ms, created_at)
  where state in ('queued', 'claimed');

create or replace function tickets.claim(p_types text[], p_agent text, p_limit int)
  returns table (ticket_id text, fencing_token bigint, attempt int, payload jsonb, deadline_ms bigint)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_plan text;
  v_was  text;
begin
  for claim.ticket_id, v_was in
    select t.ticket_id, t.state from tickets.ticket t
     where t.task_type = any (p_types)
       and (t.state = 'queued'
            or (t.state = 'claimed' and t.heartbeat_at < clock_timestamp() - interval '3.5 seconds'))
       and not exists (select from tickets.pause p where p.plan_id = t.plan_id)
     order by t.priority desc, t.rank_ms, t.created_at, t.ticket_id
     limit least(greatest(p_limit, 0), 100)
       for update skip locked
  loop
    update tickets.ticket t
       set state = 'claimed', fencing_token = nextval('tickets.fencing_token'), attempt = t.attempt + 1,
           agent = p_agent, heartbeat_at = clock_timestamp()
     where t.ticket_id = claim.ticket_id
     returning t.plan_id, t.fencing_token, t.attempt, t.payload, t.deadline_ms
          into v_plan, claim.fencing_token, claim.attempt, claim.payload, claim.deadline_ms;
    insert into tickets.claimed (ticket_id, fencing_token, plan_id, agent, attempt, takeover)
      values (claim.ticket_id, claim.fencing_token, v_plan, p_agent, claim.attempt, v_was = 'claimed');
    perform pg_notify('tickets_results', v_plan);
    return next;
  end loop;
end
$$;

drop function tickets.publish(int, int, jsonb);

-- Puts a ticket, or its next publication after a finished one, into the queue. False when it was there already.
-- p_rank: now, in epoch milliseconds, less the length of the path behind the ticket; without one the path counts nothing.
create function tickets.publish(p_publication int, p_priority int, p_payload jsonb, p_rank bigint default null)
  returns boolean
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_rank bigint := coalesce(p_rank, floor(extract(epoch from clock_timestamp()) * 1000)::bigint);
begin
  insert into tickets.ticket as t
      (ticket_id, plan_id, task_type, priority, deadline_ms, payload, publication, state, rank_ms)
    values (p_payload ->> 'ticket_id', p_payload ->> 'plan_id', p_payload ->> 'task_type', p_priority,
            (p_payload -> 'sla' ->> 'deadline')::bigint, p_payload, p_publication, 'queued', v_rank)
    on conflict (ticket_id) do update
       set state = 'queued', payload = excluded.payload, publication = excluded.publication,
           deadline_ms = excluded.deadline_ms, rank_ms = excluded.rank_ms, heartbeat_at = null
     where t.publication < excluded.publication and t.state = 'finished';
  if found then
    perform pg_notify('tickets_ready', p_payload ->> 'task_type');
    return true;
  end if;
  return false;
end
$$;

create function tickets.pause(p_plan text) returns void
  language sql set search_path = pg_catalog, pg_temp as $$
  insert into tickets.pause (plan_id) values (p_plan) on conflict do nothing;
$$;

create function tickets.resume(p_plan text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  delete from tickets.pause p where p.plan_id = p_plan;
  if found then
    perform pg_notify('tickets_ready', waiting.task_type)
       from (select distinct t.task_type from tickets.ticket t where t.plan_id = p_plan and t.state = 'queued') waiting;
  end if;
end
$$;

-- Moves the deadline of a ticket that has not ended; its holder, if it has one, goes on under the old one.
create function tickets.postpone(p_payload jsonb) returns void
  language sql set search_path = pg_catalog, pg_temp as $$
  update tickets.ticket t
     set payload = p_payload, deadline_ms = (p_payload -> 'sla' ->> 'deadline')::bigint
   where t.ticket_id = p_payload ->> 'ticket_id' and t.state in ('queued', 'claimed');
$$;

revoke all on function tickets.publish(int, int, jsonb, bigint), tickets.pause(text), tickets.resume(text),
  tickets.postpone(jsonb) from public;
grant select, insert, delete on tickets.pause to tickets_rw;
grant execute on function tickets.publish(int, int, jsonb, bigint), tickets.pause(text), tickets.resume(text),
  tickets.postpone(jsonb) to tickets_rw;
`;
