import { SeededRandom } from './seeded-random.ts';

export interface WorkTask {
  readonly task_id: string;
  readonly task_type: string;
  readonly description: string;
  readonly dependencies: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
}

/** What somebody wants of the plan once it was submitted. `afterMs` counts from then. */
export interface Wish {
  readonly verb: 'approve' | 'reject' | 'cancel' | 'pause' | 'resume';
  readonly afterMs: number;
}

export interface WorkPlan {
  readonly shape: Shape;
  readonly plan: Readonly<Record<string, unknown>> & { readonly plan_id: string; readonly tasks: readonly WorkTask[] };
  readonly wishes: readonly Wish[];
}

export const SHAPES = [
  'chain',
  'fan',
  'diamond',
  'release',
  'query',
  'fails-late',
  'fails-release',
  'cancelled',
  'paused',
  'approved',
  'rejected',
] as const;
export type Shape = (typeof SHAPES)[number];

/** What EXECUTE tickets run; they write to the ledger. */
export const EFFECT_PROGRAM = 'chaos-effect';
export const EFFECT_UNDO_PROGRAM = 'chaos-undo';
export const FAILING_PROGRAM = 'chaos-fail';
/** What BUILD tickets run, on this project. */
export const BUILD_PROGRAM = 'chaos-build';
export const PROJECT = 'chaos';

type Draft = Omit<WorkTask, 'description' | 'dependencies'> & { readonly dependencies?: readonly string[] };

/** The plan number `index` of a run: the same for the same seed. Every effect in it has a name that no other plan uses. */
export function workPlan(seed: number, index: number, run: string): WorkPlan {
  const random = new SeededRandom(seed, index + 1);
  const shape = SHAPES[index % SHAPES.length] ?? 'chain';
  const id = `chaos-${run}-${index}`;
  const effect = (task_id: string, ...dependencies: readonly string[]): Draft => ({
    task_id,
    task_type: 'EXECUTE',
    dependencies,
    parameters: { program: EFFECT_PROGRAM, effect: `${id}/${task_id}` },
  });
  const tasks = draftsOf(shape, random, effect, id);
  const awaited = shape === 'approved' || shape === 'rejected';
  const plan = {
    plan_id: id,
    intent_id: 'chaos',
    tasks: tasks.map((task) => ({ description: task.task_id, dependencies: [], ...task })),
    execution_order: tasks.map(({ task_id }) => task_id),
    risk_score: 0.1,
    risk_band: awaited ? 'high' : 'low',
    created_at: 1_700_000_000_000,
    original_domain: 'TECHNICAL',
    original_priority: random.pick(['LOW', 'NORMAL', 'HIGH', 'CRITICAL']),
  };
  return { shape, plan, wishes: wishesOf(shape, random) };
}

function draftsOf(
  shape: Shape,
  random: SeededRandom,
  effect: (id: string, ...dependencies: readonly string[]) => Draft,
  id: string,
): readonly Draft[] {
  const chain = (length: number): Draft[] =>
    Array.from({ length }, (_, at) => (at === 0 ? effect('e0') : effect(`e${at}`, `e${at - 1}`)));
  const failing = (after: string): Draft => ({
    task_id: 'fail',
    task_type: 'EXECUTE',
    dependencies: [after],
    parameters: { program: FAILING_PROGRAM },
  });
  const release = (): Draft[] => [
    { task_id: 'build', task_type: 'BUILD', parameters: { program: BUILD_PROGRAM, project: PROJECT } },
    {
      task_id: 'deploy',
      task_type: 'DEPLOY',
      dependencies: ['build'],
      parameters: { target: id, artifact_from: 'build' },
    },
  ];
  switch (shape) {
    case 'fan':
      return [effect('root'), ...['a', 'b', 'c', 'd'].map((leaf) => effect(leaf, 'root'))];
    case 'diamond':
      return [effect('top'), effect('left', 'top'), effect('right', 'top'), effect('bottom', 'left', 'right')];
    case 'release':
      return release();
    case 'query':
      return [
        effect('before'),
        {
          task_id: 'read',
          task_type: 'QUERY',
          dependencies: ['before'],
          parameters: { statement: 'select count(*) as released from releases.history' },
        },
        effect('after', 'read'),
      ];
    case 'fails-late':
      return [...chain(3), failing('e2')];
    case 'fails-release':
      return [...release(), failing('deploy')];
    case 'cancelled':
      return chain(random.between(4, 6));
    default:
      return chain(random.between(2, 4));
  }
}

function wishesOf(shape: Shape, random: SeededRandom): readonly Wish[] {
  const soonMs = random.between(200, 2_500);
  const laterMs = soonMs + random.between(500, 5_000);
  switch (shape) {
    case 'cancelled':
      return [{ verb: 'cancel', afterMs: soonMs }];
    case 'paused':
      return [
        { verb: 'pause', afterMs: soonMs },
        { verb: 'resume', afterMs: laterMs },
      ];
    case 'approved':
      return [{ verb: 'approve', afterMs: soonMs }];
    case 'rejected':
      return [{ verb: 'reject', afterMs: soonMs }];
    default:
      return [];
  }
}
