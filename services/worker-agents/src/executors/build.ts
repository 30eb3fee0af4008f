import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import type { AttemptRunner } from '../attempts/attempt-runner.ts';
import type { ProgramCatalogue } from '../attempts/program-catalogue.ts';
import type { Executor } from '../domain/executor.ts';
import { TicketFailure } from '../domain/failure.ts';
import { readParameters } from './parameters.ts';
import { allowedFor, runProgram } from './program-run.ts';
import { projectFolder } from './project-folder.ts';

export interface BuildOptions {
  readonly runner: AttemptRunner;
  readonly programs: ProgramCatalogue;
  /** The folder that holds the projects. */
  readonly projects: string;
  readonly artifacts: ArtifactStore;
}

const parameters = z.strictObject({ program: z.string(), project: z.string().min(1) });

/** BUILD: an allow-listed program makes an artifact of a project. Output: `artifact`, the digest of what it made. */
export function buildExecutor({ runner, programs, projects, artifacts }: BuildOptions): Executor {
  return {
    type: 'BUILD',
    async execute(execution) {
      const { ticket, settings, signal } = execution;
      const { program, project } = readParameters(parameters, ticket);
      const allowed = allowedFor(programs, program, 'BUILD');
      const sources = [{ from: projectFolder(projects, project), to: '.' }];
      return runProgram(
        runner,
        execution,
        { program, allowed, values: {}, sources },
        async ({ exit, output, workspace }) => {
          const logs = output.lines();
          if (exit.code !== 0) {
            throw new TicketFailure('execution', `The build failed with exit code ${exit.code}`, { logs });
          }
          const limits = { files: settings.max_artifact_files, bytes: settings.max_artifact_bytes };
          const made = await artifacts.store(await productFolder(workspace, allowed.product), ticket.ticket_id, {
            signal,
            limits,
          });
          return {
            output: { artifact: made.digest, files: String(made.files), bytes: String(made.bytes) },
            neededToUndo: ['artifact'],
            metadata: { program, uid_separation: String(runner.separated) },
            logs,
          };
        },
      );
    },
  };
}

/** The program may have made a link of a folder above its product, to something that only the worker can read. */
async function productFolder(workspace: string, product: string): Promise<string> {
  const folder = join(await realpath(workspace), product);
  const real = await realpath(folder).catch(() => undefined);
  if (real !== folder) throw new TicketFailure('execution', 'The program made no product folder');
  return folder;
}
