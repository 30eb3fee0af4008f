import { createHash } from 'node:crypto';

/** Everything of the registry is under this prefix, keys and channels; its login reaches nothing else. */
const PREFIX = 'registry:';

export const KEYS = {
  /** `seq` of the latest entry of the log, `revision` of the latest change. */
  state: `${PREFIX}state`,
  /** What an agent registered, by its id. */
  agents: `${PREFIX}agents`,
  /** The seq of an agent's latest write and, behind a space, what changes with each heartbeat. */
  seen: `${PREFIX}seen`,
  /** How many agents an identity has. */
  identities: `${PREFIX}identities`,
  /** Every write in order, its id the seq: what replicas follow. */
  log: `${PREFIX}log`,
  /** The latest changes, the id the revision: what a replica that starts reads. */
  changes: `${PREFIX}changes`,
} as const;

export function watchChannel(name: string): string {
  return `${PREFIX}watch:${name}`;
}

/** Writes that a replica may be behind before it has to read everything again. */
const LOG_LENGTH = 16_384;

/**
 * The state, and a new beginning of it where there is none or where it is behind what a replica has seen: then Redis has
 * lost writes, and numbers that were given out must not be given again. Numbers begin with the time in microseconds.
 */
const BEGIN = `
  local function whole(number) return string.format('%.0f', number) end
  local time = redis.call('TIME')
  local state = redis.call('HMGET', KEYS[1], 'seq', 'revision')
  local seq, revision = tonumber(state[1]), tonumber(state[2])
  if not seq or seq < known_seq or revision < known_revision then
    seq = math.max(time[1] * 1000000 + time[2], known_seq + 1, known_revision + 1)
    revision = seq
    redis.call('DEL', KEYS[5], KEYS[6])
    redis.call('HSET', KEYS[1], 'seq', whole(seq), 'revision', whole(revision))
  end
`;

/**
 * Makes one write unless the agent has changed since the caller read it. ARGV: kind, agent id, its seq as read or '',
 * known seq and revision, registered part, seen part, change, identity, room in all and of the identity, kept changes.
 */
const WRITE = `
  local kind, id, expected = ARGV[1], ARGV[2], ARGV[3]
  local known_seq, known_revision = tonumber(ARGV[4]), tonumber(ARGV[5])
  local there = redis.call('HGET', KEYS[3], id)
  if (there and string.match(there, '^%d+') or '') ~= expected then return {'conflict'} end
  if kind == 'put' and not there then
    local all, own = redis.call('HLEN', KEYS[2]), tonumber(redis.call('HGET', KEYS[4], ARGV[9]) or 0)
    if all >= tonumber(ARGV[10]) or own >= tonumber(ARGV[11]) then return {'full', all, own} end
  end
  ${BEGIN}
  seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
  if kind == 'put' or kind == 'seen' then redis.call('HSET', KEYS[3], id, whole(seq) .. ' ' .. ARGV[7]) end
  if kind == 'put' then
    redis.call('HSET', KEYS[2], id, ARGV[6])
    if not there then redis.call('HINCRBY', KEYS[4], ARGV[9], 1) end
  elseif kind == 'remove' then
    redis.call('HDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
    if redis.call('HINCRBY', KEYS[4], ARGV[9], -1) < 1 then redis.call('HDEL', KEYS[4], ARGV[9]) end
  end
  local entry
  if kind == 'seen' then
    entry = {'seen', id .. ' ' .. ARGV[7]}
  else
    revision = redis.call('HINCRBY', KEYS[1], 'revision', 1)
    entry = {'change', whole(revision) .. ' ' .. ARGV[8]}
    redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[12], whole(revision) .. '-0', 'change', ARGV[8])
  end
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ${LOG_LENGTH}, whole(seq) .. '-0', entry[1], entry[2])
  return {'written', time[1], time[2]}
`;

/** Everything at one instant. ARGV: known seq and revision. */
const LOAD = `
  local known_seq, known_revision = tonumber(ARGV[1]), tonumber(ARGV[2])
  ${BEGIN}
  return {
    whole(seq), whole(revision), time[1], time[2],
    redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]), redis.call('XRANGE', KEYS[6], '-', '+'),
  }
`;

/** A script and the name by which a server that has it is asked to run it. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

const script = (text: string): Script => ({ text, sha1: createHash('sha1').update(text).digest('hex') });

export const SCRIPTS = { write: script(WRITE), load: script(LOAD) } as const;

/** In the order in which the scripts count them. */
export const SCRIPT_KEYS: readonly string[] = [
  KEYS.state,
  KEYS.agents,
  KEYS.seen,
  KEYS.identities,
  KEYS.log,
  KEYS.changes,
];
