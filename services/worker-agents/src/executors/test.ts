import { z } from 'zod';
import type { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import type { ReleaseStore } from '../adapters/filesystem/release-store.ts';
import type { AttemptRunner } from '../attempts/attempt-runner.ts';
import type { ProgramCatalogue } from '../attempts/program-catalogue.ts';
import type { Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { artifactOf, readParameters } from './parameters.ts';
import { allowedFor, runProgram } from './program-run.ts';
import { projectFolder } from './project-folder.ts';
import { artifactFolder } from './sources.ts';
import { readTestCounts } from './test-report.ts';

export interface TestOptions {
  readonly runner: AttemptRunner;
  readonly programs: ProgramCatalogue;
  readonly projects: string;
  readonly artifacts: ArtifactStore;
  readonly releases: ReleaseStore;
}

const parameters = z
  .object({
    program: z.string(),
    project: z.string().min(1),
    artifact: z.string().optional(),
    artifact_from: z.string().optional(),
    /** The deployed release of this target is what is tested. */
    target: z.string().optional(),
  })
  .catchall(z.string());

/**
 * TEST: an allow-listed program tests a project, an artifact laid into it, or a deployed release. Further parameters are
 * the values of the program's placeholders. Output: `passed`, `failed`, `skipped`. A run that reports no test has failed.
 */
export function testExecutor({ runner, programs, projects, artifacts, releases }: TestOptions): Executor {
  return {
    type: 'TEST',
    async execute(execution) {
      const { ticket } = execution;
      const { program, project, artifact, artifact_from, target, ...values } = readParameters(parameters, ticket);
      const allowed = allowedFor(programs, program, 'TEST');
      const sources = [{ from: projectFolder(projects, project), to: '.' }];
      const digest = artifactOf(ticket, { artifact, artifact_from });
      if (digest !== undefined) sources.push({ from: artifactFolder(artifacts, digest), to: allowed.product });
      if (target !== undefined) values.release = await releaseFolder(releases, target);
      return runProgram(runner, execution, { program, allowed, values, sources }, async (attempt) => {
        const { exit, output } = attempt;
        const logs = output.lines();
        const counts = await readTestCounts(attempt, allowed.report);
        if (counts === undefined) {
          throw new TicketFailure('execution', `The program reported no tests (exit code ${exit.code})`, { logs });
        }
        const found = Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, String(value)]));
        if (exit.code !== 0 || counts.failed > 0) {
          const message = `${counts.failed} of ${counts.passed + counts.failed} tests failed`;
          throw new TicketFailure('execution', message, { output: found, logs });
        }
        if (counts.passed === 0) throw new TicketFailure('execution', 'No test ran', { output: found, logs });
        return { output: found, metadata: { program, uid_separation: String(runner.separated) }, logs };
      });
    },
  };
}

async function releaseFolder(releases: ReleaseStore, target: string): Promise<string> {
  const folder = await releases.currentFolder(target);
  if (folder === undefined) throw new TicketFailure('execution', 'Nothing is deployed to this target');
  return folder;
}
