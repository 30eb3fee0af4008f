import { parseDurationMs } from '@neural-hive/security/encoding';
import type { Fields } from '../setup/setup.ts';

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** Servers answer durations as seconds or as text, lists in any order, and texts without their last line end. */
function sameValue(name: string, wanted: unknown, found: unknown): boolean {
  if (isEmpty(wanted) || isEmpty(found)) return isEmpty(wanted) && isEmpty(found);
  if (Array.isArray(wanted)) {
    const list = Array.isArray(found) ? found : String(found).split(',');
    const texts = (values: readonly unknown[]): string[] => values.map((value) => String(value).trim());
    const [a, b] = [texts(wanted), texts(list)];
    // Statements run in their order; everything else is a set.
    if (!name.endsWith('_statements')) for (const values of [a, b]) values.sort();
    return a.length === b.length && a.every((value, index) => value === b[index]);
  }
  if (isFields(wanted)) {
    return isFields(found) && Object.entries(wanted).every(([key, value]) => sameValue(key, value, found[key]));
  }
  if (typeof wanted === 'number' && typeof found === 'string' && !/^-?\d+$/.test(found)) {
    return parseDurationMs(found) === wanted * 1000;
  }
  return plainText(wanted) === plainText(found);
}

/** OpenBao answers a `key=value` connection text with its spaces and braces escaped as in a URL. */
function plainText(value: unknown): string {
  const text = String(value).trim();
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The names of the fields that differ from what the server answers. A field that it does not answer at all cannot be
 * compared and counts as equal.
 */
export function differencesOf(wanted: Fields, answered: Fields): readonly string[] {
  // The database engine puts what is the plugin's business one level deeper.
  const details = isFields(answered.connection_details) ? answered.connection_details : {};
  return Object.entries(wanted).flatMap(([name, value]) => {
    const found = name in answered ? answered[name] : details[name];
    const answersIt = name in answered || name in details;
    return !answersIt || sameValue(name, value, found) ? [] : [name];
  });
}
