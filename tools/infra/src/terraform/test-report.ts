import { z } from 'zod';

/** One `run` block of a test file. */
export interface TestRun {
  /** `tests/plan.tftest.hcl: defaults` */
  readonly name: string;
  readonly passed: boolean;
}

/** What a plan does to one resource, or what an applied one has become. */
export interface TestedResource {
  readonly address: string;
  readonly type: string;
  /** Of a plan: `['create']`, `['no-op']`. */
  readonly actions: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

export interface TestReport {
  readonly runs: readonly TestRun[];
  /** What Terraform complained of, one text each. */
  readonly problems: readonly string[];
  /** By the name of the run; only with `-verbose`. */
  readonly plans: ReadonlyMap<string, readonly TestedResource[]>;
}

const values = z.record(z.string(), z.unknown());
const change = z.object({
  address: z.string(),
  type: z.string(),
  change: z.object({ actions: z.array(z.string()), after: values.nullish() }),
});

const event = z.object({
  '@testfile': z.string().optional(),
  '@testrun': z.string().optional(),
  test_run: z.object({ progress: z.string(), status: z.string().optional() }).optional(),
  test_plan: z.object({ resource_changes: z.array(change).optional() }).optional(),
  diagnostic: z.object({ severity: z.string(), summary: z.string(), detail: z.string().optional() }).optional(),
});

/** Reads the lines of `terraform test -json`. */
export function parseTestReport(output: string): TestReport {
  const runs: TestRun[] = [];
  const problems: string[] = [];
  const plans = new Map<string, readonly TestedResource[]>();
  for (const line of output.split('\n')) {
    if (!line.startsWith('{')) continue;
    const parsed = event.parse(JSON.parse(line));
    const { test_run: run, test_plan: plan, diagnostic } = parsed;
    const name = `${parsed['@testfile']}: ${parsed['@testrun']}`;
    if (run?.progress === 'complete') runs.push({ name, passed: run.status === 'pass' });
    if (plan !== undefined) plans.set(name, (plan.resource_changes ?? []).map(resourceOf));
    if (diagnostic?.severity === 'error') problems.push(`${diagnostic.summary}: ${diagnostic.detail ?? ''}`.trim());
  }
  return { runs, problems, plans };
}

function resourceOf({ address, type, change: { actions, after } }: z.infer<typeof change>): TestedResource {
  return { address, type, actions, values: after ?? {} };
}
