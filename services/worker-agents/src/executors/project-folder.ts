import { realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { TicketFailure } from '../domain/failure.ts';

/**
 * The folder of a project below the projects' root. A name that leads elsewhere, also by a link, is refused. Throws a
 * `TicketFailure`.
 */
export function projectFolder(root: string, name: string): string {
  let folder: string;
  try {
    folder = realpathSync(join(root, name));
  } catch {
    throw new TicketFailure('parameters', 'parameters.project: there is no such project');
  }
  const inside = folder.startsWith(`${realpathSync(root)}${sep}`);
  if (!inside || !statSync(folder).isDirectory()) {
    throw new TicketFailure('parameters', 'parameters.project: must be a folder below the projects');
  }
  return folder;
}
