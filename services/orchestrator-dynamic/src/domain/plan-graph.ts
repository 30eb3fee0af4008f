/** The part of a task that makes the graph. */
export interface GraphNode {
  readonly task_id: string;
  readonly dependencies: readonly string[];
}

/** The tasks that wait for each task. */
export function dependentsOf<Node extends GraphNode>(tasks: readonly Node[]): ReadonlyMap<string, readonly Node[]> {
  const dependents = new Map<string, Node[]>();
  for (const task of tasks) {
    for (const dependency of new Set(task.dependencies)) {
      const list = dependents.get(dependency);
      if (list === undefined) dependents.set(dependency, [task]);
      else list.push(task);
    }
  }
  return dependents;
}

/** Everything that a task needs, directly or through others. */
export function ancestorsOf(tasks: readonly GraphNode[], taskId: string): ReadonlySet<string> {
  const byId = new Map(tasks.map((task) => [task.task_id, task]));
  const found = new Set<string>();
  const open = [...(byId.get(taskId)?.dependencies ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(byId.get(next)?.dependencies ?? []));
  }
  return found;
}

/**
 * Cycles, each as the ids along it: at least one for each knot of tasks that wait for each other. Edges to unknown
 * ids are ignored. Iterative: a chain of thousands of tasks must not overflow the stack.
 */
export function findCycles(tasks: readonly GraphNode[]): readonly (readonly string[])[] {
  const byId = new Map(tasks.map((task) => [task.task_id, task]));
  const finished = new Set<string>();
  const cycles: string[][] = [];
  for (const start of byId.keys()) {
    if (finished.has(start)) continue;
    const path: string[] = [start];
    const onPath = new Map([[start, 0]]);
    const edges = [edgesOf(byId, start)];
    for (let top = edges.at(-1); top !== undefined; top = edges.at(-1)) {
      const next = top.next();
      if (next.done === true) {
        edges.pop();
        const left = path.pop();
        if (left !== undefined) {
          onPath.delete(left);
          finished.add(left);
        }
        continue;
      }
      const since = onPath.get(next.value);
      if (since !== undefined) cycles.push(path.slice(since));
      else if (!finished.has(next.value)) {
        onPath.set(next.value, path.length);
        path.push(next.value);
        edges.push(edgesOf(byId, next.value));
      }
    }
  }
  return cycles;
}

function edgesOf(byId: ReadonlyMap<string, GraphNode>, taskId: string): Iterator<string> {
  return (byId.get(taskId)?.dependencies ?? []).filter((id) => byId.has(id)).values();
}

/**
 * For each task the length of the longest path that begins with it, itself included; the longest of all is the critical
 * path. A task that is in a cycle, or behind one, has none.
 */
export function longestPaths<Node extends GraphNode>(
  tasks: readonly Node[],
  lengthOf: (task: Node) => number,
): ReadonlyMap<string, number> {
  const dependents = dependentsOf(tasks);
  const byId = new Map(tasks.map((task) => [task.task_id, task]));
  const open = new Map(tasks.map(({ task_id: id }) => [id, dependents.get(id)?.length ?? 0]));
  const lengths = new Map<string, number>();
  const ready = tasks.filter(({ task_id: id }) => open.get(id) === 0);
  for (let task = ready.pop(); task !== undefined; task = ready.pop()) {
    const behind = (dependents.get(task.task_id) ?? []).map(({ task_id: id }) => lengths.get(id) ?? 0);
    lengths.set(task.task_id, lengthOf(task) + behind.reduce((most, length) => Math.max(most, length), 0));
    for (const id of new Set(task.dependencies)) {
      const left = (open.get(id) ?? 0) - 1;
      open.set(id, left);
      const next = byId.get(id);
      if (left === 0 && next !== undefined) ready.push(next);
    }
  }
  return lengths;
}
