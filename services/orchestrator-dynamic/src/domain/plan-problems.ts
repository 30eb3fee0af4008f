import { type CognitivePlan, cognitivePlan } from '@neural-hive/contracts';
import { DEPENDENCY_PREFIX } from './execution-ticket.ts';
import { findCycles } from './plan-graph.ts';

export interface PlanProblem {
  /** A JSON path, as `$.tasks[2].dependencies[0]`. */
  readonly path: string;
  readonly message: string;
}

export type CheckedPlan =
  | { readonly ok: true; readonly plan: CognitivePlan }
  | { readonly ok: false; readonly problems: readonly PlanProblem[] };

/**
 * Reads an untrusted plan. Lists every problem there is, not the first: those of the shape, and those that a shape
 * cannot tell, looked for in whatever part is readable.
 */
export function checkPlan(value: unknown, nowMs: number): CheckedPlan {
  const parsed = cognitivePlan.safeParse(value);
  const shape: PlanProblem[] = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => ({
        path: jsonPath(path),
        message: path.length > 0 && isMissing(value, path) ? 'is required and missing' : message,
      }));
  const problems = [...shape, ...unstorableText(value, []), ...meaningProblems(value, nowMs)];
  return parsed.success && problems.length === 0 ? { ok: true, plan: parsed.data } : { ok: false, problems };
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let found: unknown = value;
  for (const key of path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return found === undefined;
}

export function jsonPath(path: readonly PropertyKey[]): string {
  let text = '$';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else text += /^[A-Za-z_][A-Za-z0-9_]*$/.test(String(key)) ? `.${String(key)}` : `[${JSON.stringify(String(key))}]`;
  }
  return text;
}

/** NUL and lone surrogates are JSON, but no text that a database keeps. The depth is that of the parser before. */
export function* unstorableText(value: unknown, path: readonly PropertyKey[]): Generator<PlanProblem> {
  if (typeof value === 'string' && UNSTORABLE.test(value)) {
    yield { path: jsonPath(path), message: 'the text holds NUL or half a surrogate pair' };
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    if (UNSTORABLE.test(key)) yield { path: jsonPath(at), message: 'the name holds NUL or half a surrogate pair' };
    yield* unstorableText(member, at);
  }
}

const UNSTORABLE = /[\0\p{Surrogate}]/u;

interface ReadableTask {
  readonly index: number;
  readonly id: string | undefined;
  readonly type: unknown;
  readonly metadata: readonly string[];
  readonly dependencies: readonly { readonly index: number; readonly id: string }[];
}

function meaningProblems(value: unknown, nowMs: number): PlanProblem[] {
  if (!isRecord(value)) return [];
  const tasks = listOf(value.tasks).flatMap((task, index) => (isRecord(task) ? [readTask(task, index)] : []));
  const known = new Map<string, number>();
  const problems: PlanProblem[] = [];
  for (const { id, index } of tasks) {
    const first = id === undefined ? undefined : known.get(id);
    if (id === undefined) continue;
    if (first === undefined) known.set(id, index);
    else
      problems.push({ path: `$.tasks[${index}].task_id`, message: `"${id}" is the id of $.tasks[${first}] already` });
  }
  for (const task of tasks) problems.push(...taskProblems(task, known));
  problems.push(...cycleProblems(tasks));
  // Names can be checked only against a list of tasks that is one.
  if (Array.isArray(value.tasks)) {
    problems.push(...orderProblems(value.execution_order, known));
    problems.push(...unknownNames(value.destructive_tasks, '$.destructive_tasks', known));
  }
  const validUntil = value.valid_until;
  if (typeof validUntil === 'number' && validUntil <= nowMs) {
    problems.push({ path: '$.valid_until', message: `the plan expired at ${new Date(validUntil).toISOString()}` });
  }
  return problems;
}

function readTask(task: Readonly<Record<string, unknown>>, index: number): ReadableTask {
  const id = task.task_id;
  return {
    index,
    id: typeof id === 'string' ? id : undefined,
    type: task.task_type,
    metadata: isRecord(task.metadata) ? Object.keys(task.metadata) : [],
    dependencies: listOf(task.dependencies).flatMap((dependency, at) =>
      typeof dependency === 'string' ? [{ index: at, id: dependency }] : [],
    ),
  };
}

function* taskProblems(task: ReadableTask, known: ReadonlyMap<string, number>): Generator<PlanProblem> {
  const path = `$.tasks[${task.index}]`;
  if (task.type === 'COMPENSATE') {
    yield { path: `${path}.task_type`, message: 'COMPENSATE tickets are made by the orchestrator alone' };
  }
  for (const name of task.metadata) {
    if (!name.startsWith(DEPENDENCY_PREFIX)) continue;
    yield { path: jsonPath(['tasks', task.index, 'metadata', name]), message: 'is set by the orchestrator alone' };
  }
  const seen = new Set<string>();
  for (const { id, index } of task.dependencies) {
    const at = `${path}.dependencies[${index}]`;
    if (!known.has(id)) yield { path: at, message: `no task has the id "${id}"` };
    if (seen.has(id)) yield { path: at, message: `"${id}" is listed twice` };
    seen.add(id);
  }
}

function cycleProblems(tasks: readonly ReadableTask[]): PlanProblem[] {
  const nodes = tasks.flatMap(({ id, dependencies }) =>
    id === undefined ? [] : [{ task_id: id, dependencies: dependencies.map((dependency) => dependency.id) }],
  );
  return findCycles(nodes).map((cycle) => {
    const [first] = cycle;
    const task = tasks.find(({ id }) => id === first);
    const next = cycle[1] ?? first;
    const edge = task?.dependencies.find(({ id }) => id === next);
    return {
      path: `$.tasks[${task?.index}].dependencies[${edge?.index}]`,
      message: `these tasks wait for each other: ${[...cycle, first].join(' -> ')}`,
    };
  });
}

function* orderProblems(order: unknown, known: ReadonlyMap<string, number>): Generator<PlanProblem> {
  if (!Array.isArray(order)) return;
  yield* unknownNames(order, '$.execution_order', known);
  const listed = new Set<unknown>(order);
  for (const [id, index] of known) {
    if (!listed.has(id)) yield { path: '$.execution_order', message: `"${id}" ($.tasks[${index}]) is not in it` };
  }
}

function* unknownNames(list: unknown, path: string, known: ReadonlyMap<string, number>): Generator<PlanProblem> {
  const seen = new Set<unknown>();
  for (const [index, id] of listOf(list).entries()) {
    if (typeof id !== 'string') continue;
    if (!known.has(id)) yield { path: `${path}[${index}]`, message: `no task has the id "${id}"` };
    if (seen.has(id)) yield { path: `${path}[${index}]`, message: `"${id}" is listed twice` };
    seen.add(id);
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
