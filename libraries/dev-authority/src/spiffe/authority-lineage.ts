import { invalid } from '../fault.ts';
import type { AuthoritySlot, AuthorityStatus } from './authority-slot.ts';

/** The authorities of one kind that the bundles hold, the oldest first; exactly one is active. */
export type Lineage = readonly AuthoritySlot[];

const DAY_MS = 86_400_000;

/** As SPIRE: at half of the life of the active one, and 30 days before its end at the earliest. */
export function prepareAtMs({ createdAtMs, expiresAtMs }: AuthoritySlot): number {
  return expiresAtMs - Math.min((expiresAtMs - createdAtMs) / 2, 30 * DAY_MS);
}

/** As SPIRE: a sixth of the life before the end, and 7 days before it at the earliest. */
export function activateAtMs({ createdAtMs, expiresAtMs }: AuthoritySlot): number {
  return expiresAtMs - Math.min((expiresAtMs - createdAtMs) / 6, 7 * DAY_MS);
}

export function activeOf(lineage: Lineage): AuthoritySlot {
  const active = withStatus(lineage, 'active');
  if (active === undefined) throw new TypeError('lineage must hold an active authority');
  return active;
}

export function preparedOf(lineage: Lineage): AuthoritySlot | undefined {
  return withStatus(lineage, 'prepared');
}

/** The new one stands in the bundles beside the others and signs nothing yet. */
export function prepare(lineage: Lineage, fresh: AuthoritySlot): Lineage {
  if (preparedOf(lineage) !== undefined) throw invalid('an authority is prepared already: activate it first');
  return [...lineage, fresh];
}

/** From now on the prepared one signs; the active one becomes old. */
export function activate(lineage: Lineage, nowMs: number, id?: string): Lineage {
  const chosen = choose(lineage, 'prepared', id);
  return lineage.map((slot) => {
    if (slot === chosen) return { ...slot, status: 'active' };
    return slot.status === 'active' ? { ...slot, status: 'old', stoppedAtMs: nowMs } : slot;
  });
}

export function taint(lineage: Lineage, id?: string): Lineage {
  const chosen = choose(lineage, 'old', id);
  return lineage.map((slot) => (slot === chosen ? { ...slot, status: 'tainted' } : slot));
}

/** It leaves the bundles; as with SPIRE only after it was tainted, so that nobody is left with what it signed. */
export function revoke(lineage: Lineage, id?: string): Lineage {
  const chosen = choose(lineage, 'tainted', id);
  return lineage.filter((slot) => slot !== chosen);
}

/** Everything that time has brought about; the same lineage when that is nothing. */
export function keepUp(lineage: Lineage, nowMs: number, fresh: () => AuthoritySlot): Lineage {
  let next = lineage.some((slot) => isOver(slot, nowMs)) ? lineage.filter((slot) => !isOver(slot, nowMs)) : lineage;
  const active = activeOf(next);
  if (nowMs >= prepareAtMs(active) && preparedOf(next) === undefined) next = prepare(next, fresh());
  if (nowMs >= activateAtMs(active)) next = activate(next, nowMs);
  // One that ended while nobody was there to replace it.
  return next.some((slot) => isOver(slot, nowMs)) ? next.filter((slot) => !isOver(slot, nowMs)) : next;
}

/** When `keepUp` has something to do next. */
export function nextChangeAtMs(lineage: Lineage): number {
  const active = activeOf(lineage);
  const turn = preparedOf(lineage) === undefined ? prepareAtMs(active) : activateAtMs(active);
  return Math.min(turn, ...lineage.map(overAtMs));
}

function isOver(slot: AuthoritySlot, nowMs: number): boolean {
  return nowMs >= overAtMs(slot);
}

/** When nothing that it signed is valid any more. */
function overAtMs({ status, stoppedAtMs, longestLifeMs, expiresAtMs }: AuthoritySlot): number {
  if (status === 'active') return Number.POSITIVE_INFINITY;
  return stoppedAtMs === undefined ? expiresAtMs : Math.min(expiresAtMs, stoppedAtMs + longestLifeMs);
}

function withStatus(lineage: Lineage, status: AuthorityStatus): AuthoritySlot | undefined {
  return lineage.find((slot) => slot.status === status);
}

function choose(lineage: Lineage, status: AuthorityStatus, id: string | undefined): AuthoritySlot {
  const able = lineage.filter((slot) => slot.status === status && (id === undefined || slot.id === id));
  const [chosen] = able;
  if (chosen === undefined) throw invalid(`no authority with this authority_id is ${status}`);
  if (able.length > 1) throw invalid(`authority_id must be supplied: several authorities are ${status}`);
  return chosen;
}
