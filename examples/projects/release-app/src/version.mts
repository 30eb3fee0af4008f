/** The version of this program. */
export const VERSION = '1.4.0';

export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** Throws a `TypeError` for anything but three numbers with dots between them. */
export function parseVersion(text: string): Version {
  const match = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/.exec(text);
  if (match === null) throw new TypeError('A version is three numbers with dots between them');
  const [, major, minor, patch] = match.map(Number);
  return { major: major ?? 0, minor: minor ?? 0, patch: patch ?? 0 };
}

/** Negative when `a` is older than `b`, positive when it is newer. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

export type Change = 'breaking' | 'feature' | 'fix';

/** The version after one with these changes. */
export function nextVersion(version: Version, changes: readonly Change[]): Version {
  const { major, minor, patch } = version;
  if (changes.includes('breaking')) return { major: major + 1, minor: 0, patch: 0 };
  if (changes.includes('feature')) return { major, minor: minor + 1, patch: 0 };
  return changes.length === 0 ? version : { major, minor, patch: patch + 1 };
}

export function formatVersion({ major, minor, patch }: Version): string {
  return `${major}.${minor}.${patch}`;
}
