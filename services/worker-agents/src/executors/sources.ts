import { open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionTicket } from '@neural-hive/contracts';
import type { ArtifactStore } from '../adapters/filesystem/artifact-store.ts';
import { TicketFailure } from '../domain/failure.ts';
import { artifactOf } from './parameters.ts';
import { projectFolder } from './project-folder.ts';

/** The folder of an artifact. Throws a `TicketFailure` when there is none. */
export function artifactFolder(artifacts: ArtifactStore, digest: string): string {
  const folder = artifacts.folderOf(digest);
  if (folder === undefined) throw new TicketFailure('parameters', 'artifact: there is none with this digest');
  return folder;
}

export interface FolderPlaces {
  /** The folder that holds the projects. */
  readonly projects: string;
  readonly artifacts: ArtifactStore;
}

/** What a ticket may name as the place of its files. */
export interface FolderParameters {
  readonly project?: string | undefined;
  readonly artifact?: string | undefined;
  readonly artifact_from?: string | undefined;
}

/** The project or the artifact that a ticket names; undefined when it names neither. Throws a `TicketFailure`. */
export function namedFolder(
  ticket: ExecutionTicket,
  { project, ...artifact }: FolderParameters,
  { projects, artifacts }: FolderPlaces,
): string | undefined {
  const digest = artifactOf(ticket, artifact);
  if (digest !== undefined && project !== undefined) {
    throw new TicketFailure('parameters', 'parameters: a project and an artifact exclude each other');
  }
  if (digest !== undefined) return artifactFolder(artifacts, digest);
  return project === undefined ? undefined : projectFolder(projects, project);
}

/**
 * A text that a ticket brings along, or that a dependency came to (`<name>_from`: `<task id>.<output name>`). Throws a
 * `TicketFailure` when it names both, or a dependency that came to no such output.
 */
export function textOf(
  ticket: ExecutionTicket,
  name: string,
  { text, from }: { text: string | undefined; from: string | undefined },
): string | undefined {
  if (text !== undefined && from !== undefined) {
    throw new TicketFailure('parameters', `parameters: ${name} and ${name}_from exclude each other`);
  }
  if (from === undefined) return text;
  const found = ticket.metadata[`dependency.${from}`];
  if (found === undefined) {
    throw new TicketFailure('parameters', `parameters.${name}_from: no dependency came to such an output`);
  }
  return found;
}

/** A file in a folder, reached without any link; undefined when it is not there or larger than `maxBytes`. */
export async function readInside(folder: string, name: string, maxBytes: number): Promise<Buffer | undefined> {
  const path = join(await realpath(folder), name);
  const real = await realpath(path).catch(() => undefined);
  if (real !== path) return undefined;
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return size > maxBytes ? undefined : await file.readFile();
  } finally {
    await file.close();
  }
}
