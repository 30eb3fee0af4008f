import { fail } from 'node:assert/strict';

/** A Kubernetes object as a chart renders it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/**
 * Where a value is: field names with dots between them, `name=x` for the element of a list with that name, a number
 * for its position. A list of segments where a field's name has dots itself.
 */
export type Path = string | readonly string[];

export function segmentsOf(path: Path): readonly string[] {
  return typeof path === 'string' ? path.split('.') : path;
}

/** A path whose last field has dots in its name, as annotations have. */
export function under(path: string, field: string): Path {
  return [...segmentsOf(path), field];
}

/** The value at the path, or undefined where there is none. */
export function at(value: unknown, path: Path): unknown {
  return segmentsOf(path).reduce(child, value);
}

function child(value: unknown, segment: string): unknown {
  if (Array.isArray(value)) return value[positionOf(value, segment)];
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, segment) ? (value as Record<string, unknown>)[segment] : undefined;
}

/** The position in a list that a segment means, or -1. */
export function positionOf(list: readonly unknown[], segment: string): number {
  if (/^\d+$/.test(segment)) return Number(segment);
  const [field = '', ...rest] = segment.split('=');
  const wanted = rest.join('=');
  return list.findIndex((element) => String(child(element, field)) === wanted);
}

/** The list at the path, and an empty one where there is none. */
export function listAt(value: unknown, path: Path): readonly unknown[] {
  const found = at(value, path);
  return Array.isArray(found) ? found : [];
}

/** Everything that one rendering of a chart made. */
export class Manifests {
  readonly all: readonly Manifest[];

  constructor(all: readonly Manifest[]) {
    this.all = all;
  }

  of(kind: string): readonly Manifest[] {
    return this.all.filter((manifest) => manifest.kind === kind);
  }

  find(kind: string, name: string): Manifest | undefined {
    return this.of(kind).find(({ metadata }) => metadata.name === name);
  }

  /** @throws AssertionError where there is none, so that a rule about it has failed */
  get(kind: string, name: string): Manifest {
    return this.find(kind, name) ?? fail(`there is no ${kind} "${name}"`);
  }

  /** The value at a path of one object, or undefined. @throws AssertionError where there is no such object */
  at(kind: string, name: string, path: Path): unknown {
    return at(this.get(kind, name), path);
  }
}
