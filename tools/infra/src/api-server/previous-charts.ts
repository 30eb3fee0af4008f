import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { runCommand } from '../command.ts';
import type { Helm, RenderOptions } from '../helm.ts';

/** The charts as they were before the last change of one of them. */
export interface PreviousCharts {
  /** A folder with `helm-charts`, for the caller to remove. */
  readonly folder: string;
  /** Of the commit, twelve characters. */
  readonly commit: string;
}

/**
 * As they were before what is in the work tree, or else before the newest commit that changed the sources. Undefined where
 * there is nothing before: no repository, a clone without history, a new chart.
 */
export async function previousCharts(root: string, sources: readonly string[]): Promise<PreviousCharts | undefined> {
  const git = (...args: readonly string[]) =>
    // Without git there is no history either.
    runCommand('git', ['-C', root, ...args]).catch(() => ({ code: 1, stdout: '', stderr: 'git does not run' }));
  const commit = await previousCommit(git, sources);
  if (commit === undefined) return undefined;
  const there = await git('cat-file', '-e', `${commit}:${sources[0] ?? ''}`);
  if (there.code !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'charts-'));
  const archive = join(folder, 'charts.tar');
  const packed = await git('archive', '--format=tar', `--output=${archive}`, commit, 'helm-charts');
  const unpacked = await runCommand('tar', ['-xf', archive, '-C', folder]);
  if (packed.code !== 0 || unpacked.code !== 0) throw new RangeError(`${packed.stderr}${unpacked.stderr}`.trim());
  return { folder, commit: commit.slice(0, 12) };
}

type Git = (...args: readonly string[]) => Promise<{ readonly code: number | null; readonly stdout: string }>;

async function previousCommit(git: Git, sources: readonly string[]): Promise<string | undefined> {
  const head = (await git('rev-parse', '--verify', '--quiet', 'HEAD')).stdout.trim();
  if (head === '') return undefined;
  const changes = await git('status', '--porcelain', '--', ...sources);
  if (changes.stdout.trim() !== '') return head;
  const changed = (await git('log', '--first-parent', '-1', '--format=%H', '--', ...sources)).stdout.trim();
  if (changed === '') return undefined;
  const parent = (await git('rev-parse', '--verify', '--quiet', `${changed}^1`)).stdout.trim();
  return parent === '' ? undefined : parent;
}

type Values = Readonly<Record<string, unknown>>;

/**
 * The options without the values that the chart does not know, which nobody can have installed it with. Undefined where it
 * refuses them for another reason.
 */
export async function knownValues(helm: Helm, options: RenderOptions): Promise<RenderOptions | undefined> {
  const refusal = await helm.refusal(options);
  if (refusal === undefined) return options;
  const { values = {} } = options;
  const known = withoutUnknown(values, refusal, basename(options.chart));
  return isDeepStrictEqual(known, values) ? undefined : knownValues(helm, { ...options, values: known });
}

/** Takes away what helm says the schemas of the chart and of those in it do not have. */
export function withoutUnknown(values: Values, refusal: string, chart: string): Values {
  let known = values;
  let prefix: readonly string[] = [];
  for (const line of refusal.split('\n')) {
    const of = /^([a-z0-9-]+):$/.exec(line)?.[1];
    if (of !== undefined) prefix = of === chart ? [] : [of];
    const [, path, names = ''] = /at '([^']*)': additional propert(?:y|ies) (.+) not allowed/.exec(line) ?? [];
    if (path === undefined) continue;
    const above = [...prefix, ...path.split('/').filter((segment) => segment !== '')];
    for (const [, name = ''] of names.matchAll(/'([^']+)'/g)) known = without(known, [...above, name]);
  }
  return known;
}

function without(values: Values, [field = '', ...rest]: readonly string[]): Values {
  if (!Object.hasOwn(values, field)) return values;
  const { [field]: inner, ...others } = values;
  return rest.length === 0 ? others : { ...values, [field]: without(inner as Values, rest) };
}
