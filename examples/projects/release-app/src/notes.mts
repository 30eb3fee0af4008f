import { type Change, formatVersion, nextVersion, type Version } from './version.mts';

export interface Entry {
  readonly change: Change;
  readonly text: string;
}

const HEADINGS: Readonly<Record<Change, string>> = { breaking: 'Breaking', feature: 'New', fix: 'Fixed' };

/** The notes of the release that follows `from`, in Markdown; what breaks comes first. */
export function releaseNotes(from: Version, entries: readonly Entry[]): string {
  const changes = entries.map((entry) => entry.change);
  const lines = [`# ${formatVersion(nextVersion(from, changes))}`];
  for (const change of ['breaking', 'feature', 'fix'] as const) {
    const texts = entries.filter((entry) => entry.change === change).map((entry) => `- ${entry.text}`);
    if (texts.length > 0) lines.push('', `## ${HEADINGS[change]}`, ...texts);
  }
  return `${lines.join('\n')}\n`;
}
