import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  const known = withoutUnknown(values, refusal);
  return known === values ? undefined : knownValues(helm, { ...options, values: known });
}

/** Takes away what helm says the schema does not have; the same object when it says nothing of that kind. */
export function withoutUnknown(values: Values, refusal: string): Values {
  const complaints = refusal.matchAll(/at '([^']*)': additional propert(?:y|ies) ((?:'[^']+'(?:, )?)+) not allowed/g);
  let known = values;
  for (const [, path = '', names = ''] of complaints) {
    for (const [, name = ''] of names.matchAll(/'([^']+)'/g)) {
      known = without(known, [...path.split('/').filter((segment) => segment !== ''), name]);
    }
  }
  return known;
}

function without(values: Values, [field = '', ...rest]: readonly string[]): Values {
  if (!Object.hasOwn(values, field)) return values;
  const { [field]: inner, ...others } = values;
  return rest.length === 0 ? others : { ...values, [field]: without(inner as Values, rest) };
}
