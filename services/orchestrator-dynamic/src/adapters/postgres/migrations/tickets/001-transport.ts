/**
 * The ticket transport: tickets are rows, claimed with SKIP LOCKED under a fencing token that grows over all tickets,
 * announced by NOTIFY. Workers see functions only; these run as the owner with a fixed search_path.
 */
export const sql = `
create sequence tickets.fencing_token as bigint;

create table tickets.ticket (
  ticket_id     text primary key,
  plan_id       text not null,
  task_type     text not null,
  -- 0 LOW to 3 CRITICAL
  priority      smallint not null check (priority between 0 and 3),
  deadline_ms   bigint not null,
  -- An ExecutionTicket.
  payload       jsonb not null,
  -- Its retry_count: the same one is published once.
  publication   int not null check (publication >= 0),
  state         text not null check (state in ('queued', 'claimed', 'finished', 'cancelled')),
  -- How often it was claimed.
  attempt       int not null default 0,
  fencing_token bigint,
  agent         text,
  heartbeat_at  timestamptz,
  created_at    timestamptz not null default clock_timestamp()
);
create index ticket_queue on tickets.ticket (task_type, priority desc, deadline_ms, created_at)
  where state in ('queued', 'claimed');
create index ticket_plan on tickets.ticket (plan_id);

-- Who took a ticket when; the orchestrator applies each row once.
create table tickets.claimed (
  ticket_id     text not null references tickets.ticket on delete cascade,
  fencing_token bigint not null,
  plan_id       text not null,
  agent         text not null,
  attempt       int not null,
  -- Whether the holder before stopped its heartbeat.
  takeover      boolean not null,
  claimed_at    timestamptz not null default clock_timestamp(),
  applied       boolean not null default false,
  primary key (ticket_id, fencing_token)
);
create index claimed_open on tickets.claimed (plan_id, fencing_token) where not applied;

create table tickets.result (
  result_id     bigint generated always as identity unique,
  ticket_id     text not null references tickets.ticket on delete cascade,
  fencing_token bigint not null,
  plan_id       text not null,
  -- An ExecutionResult.
  result        jsonb not null,
  applied       boolean not null default false,
  created_at    timestamptz not null default clock_timestamp(),
  primary key (ticket_id, fencing_token)
);
create index result_open on tickets.result (plan_id, result_id) where not applied;

create function tickets.claim(p_types text[], p_agent text, p_limit int)
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
     order by t.priority desc, t.deadline_ms, t.created_at, t.ticket_id
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

create function tickets.heartbeat(p_ticket text, p_fencing bigint) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update tickets.ticket t set heartbeat_at = clock_timestamp()
   where t.ticket_id = p_ticket and t.state = 'claimed' and t.fencing_token = p_fencing;
  return found;
end
$$;

create function tickets.finish(p_ticket text, p_fencing bigint, p_result jsonb) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ticket tickets.ticket;
begin
  if jsonb_typeof(p_result) is distinct from 'object' then
    raise exception 'the result of ticket % must be a JSON object', p_ticket using errcode = 'invalid_parameter_value';
  end if;
  select * into v_ticket from tickets.ticket t where t.ticket_id = p_ticket for update;
  if not found or v_ticket.fencing_token is distinct from p_fencing then
    return false;
  end if;
  -- A caller that lost the answer to its first call asks again.
  if exists (select from tickets.result r where r.ticket_id = p_ticket and r.fencing_token = p_fencing) then
    return true;
  end if;
  if v_ticket.state <> 'claimed' then
    return false;
  end if;
  update tickets.ticket t set state = 'finished' where t.ticket_id = p_ticket;
  insert into tickets.result (ticket_id, fencing_token, plan_id, result)
    values (p_ticket, p_fencing, v_ticket.plan_id, p_result);
  perform pg_notify('tickets_results', v_ticket.plan_id);
  return true;
end
$$;

create function tickets.release(p_ticket text, p_fencing bigint) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_type text;
begin
  update tickets.ticket t set state = 'queued', heartbeat_at = null
   where t.ticket_id = p_ticket and t.state = 'claimed' and t.fencing_token = p_fencing
   returning t.task_type into v_type;
  if v_type is null then
    return false;
  end if;
  perform pg_notify('tickets_ready', v_type);
  return true;
end
$$;

-- Puts a ticket, or its next publication after a finished one, into the queue. False when it was there already.
create function tickets.publish(p_publication int, p_priority int, p_payload jsonb) returns boolean
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into tickets.ticket as t (ticket_id, plan_id, task_type, priority, deadline_ms, payload, publication, state)
    values (p_payload ->> 'ticket_id', p_payload ->> 'plan_id', p_payload ->> 'task_type', p_priority,
            (p_payload -> 'sla' ->> 'deadline')::bigint, p_payload, p_publication, 'queued')
    on conflict (ticket_id) do update
       set state = 'queued', payload = excluded.payload, publication = excluded.publication,
           deadline_ms = excluded.deadline_ms, heartbeat_at = null
     where t.publication < excluded.publication and t.state = 'finished';
  if found then
    perform pg_notify('tickets_ready', p_payload ->> 'task_type');
    return true;
  end if;
  return false;
end
$$;

-- Takes a ticket out of the queue or from its holder. Answers the state that it found, null for an unknown ticket;
-- a claimed ticket is left alone unless p_claimed.
create function tickets.cancel(p_ticket text, p_claimed boolean) returns text
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_state text;
begin
  select t.state into v_state from tickets.ticket t where t.ticket_id = p_ticket for update;
  if v_state = 'queued' or (v_state = 'claimed' and p_claimed) then
    update tickets.ticket t set state = 'cancelled' where t.ticket_id = p_ticket;
    perform pg_notify('tickets_cancelled', p_ticket);
  end if;
  return v_state;
end
$$;

-- What became of deployments, for releases.history; no payload and no log leaves through it.
create view tickets.deployment as
  select coalesce(r.result #>> '{result,output,release_id}', r.result #>> '{result,output,release}',
                  t.payload #>> '{parameters,release}') as release_id,
         coalesce(r.result #>> '{result,output,target}', t.payload #>> '{parameters,target}') as target,
         t.plan_id, t.ticket_id, r.created_at as released_at,
         (select min(u.created_at)
            from tickets.ticket c join tickets.result u using (ticket_id)
           where c.plan_id = t.plan_id and c.task_type = 'COMPENSATE'
             and c.payload #>> '{compensates,ticket_id}' = t.ticket_id
             and u.applied and u.result ->> 'status' = 'COMPLETED') as undone_at
    from tickets.ticket t join tickets.result r using (ticket_id)
   where t.task_type = 'DEPLOY' and r.applied and r.result ->> 'status' = 'COMPLETED';

revoke all on all functions in schema tickets from public;
grant usage on schema tickets to tickets_rw, tickets_worker, releases_owner;
grant select, insert, update on tickets.ticket to tickets_rw;
grant select, update on tickets.claimed, tickets.result to tickets_rw;
grant execute on function tickets.publish(int, int, jsonb), tickets.cancel(text, boolean) to tickets_rw;
grant execute on function tickets.claim(text[], text, int), tickets.heartbeat(text, bigint),
  tickets.finish(text, bigint, jsonb), tickets.release(text, bigint) to tickets_worker;
grant select on tickets.deployment to releases_owner;
`;
