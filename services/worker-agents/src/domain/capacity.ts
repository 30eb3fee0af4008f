import type { TaskType } from '@neural-hive/contracts';

export interface Capacity {
  /** Tickets at the same time, over all types. */
  readonly total: number;
  /** Fewer of one type; a type that is not named may use the total. */
  readonly byType: Partial<Readonly<Record<TaskType, number>>>;
}

export interface ClaimRound {
  readonly types: readonly TaskType[];
  readonly limit: number;
}

/**
 * What to ask for next. The limit is one that no type can exceed whatever mixture comes, so a type with few places left
 * narrows the round; the rounds that follow fill the others. Undefined when nothing may be asked for.
 */
export function nextRound(
  types: readonly TaskType[],
  { total, byType }: Capacity,
  running: readonly TaskType[],
): ClaimRound | undefined {
  const left = (type: TaskType): number => (byType[type] ?? total) - running.filter((other) => other === type).length;
  const open = types.filter((type) => left(type) > 0);
  const limit = Math.min(total - running.length, ...open.map(left));
  return open.length === 0 || limit <= 0 ? undefined : { types: open, limit };
}
