import { isDeepStrictEqual } from 'node:util';
import { type Manifest, Manifests, type Path, positionOf, segmentsOf } from './manifests.ts';

/** A change of what was rendered that a rule has to notice. */
export interface Mutation {
  /** What was done, for the reader: `StatefulSet vault without spec.serviceName`. */
  readonly what: string;
  readonly apply: (manifests: Manifests) => Manifests;
}

/** The object is not there. */
export function withoutManifest(kind: string, name: string): Mutation {
  return {
    what: `no ${kind} ${name}`,
    apply: ({ all }) => new Manifests(all.filter((found) => found.kind !== kind || found.metadata.name !== name)),
  };
}

/** The field is not there, or the element of a list. */
export function without(kind: string, name: string, path: Path): Mutation {
  return { what: `${kind} ${name} without ${shown(path)}`, apply: edit(kind, name, path, () => undefined) };
}

/** The field has another value, made of the old one when a function is given. Fields on the way are made. */
export function changed(kind: string, name: string, path: Path, to: unknown | ((old: unknown) => unknown)): Mutation {
  const make = typeof to === 'function' ? (to as (old: unknown) => unknown) : () => to;
  return { what: `${kind} ${name} with another ${shown(path)}`, apply: edit(kind, name, path, make) };
}

/** A text, a configuration file for instance, in which every match is replaced. */
export function rewritten(kind: string, name: string, path: Path, pattern: RegExp, by: string): Mutation {
  const make = (old: unknown): unknown => (typeof old === 'string' ? old.replace(pattern, by) : old);
  const what = `${kind} ${name} with ${String(pattern)} replaced by "${by}" in ${shown(path)}`;
  return { what, apply: edit(kind, name, path, make) };
}

/** One more object. */
export function withManifest(added: Manifest): Mutation {
  const what = `one more ${added.kind} ${added.metadata.name}`;
  return { what, apply: ({ all }) => new Manifests([...all, added]) };
}

/** Several changes at once. */
export function together(what: string, ...mutations: readonly Mutation[]): Mutation {
  return { what, apply: (manifests) => mutations.reduce((changing, { apply }) => apply(changing), manifests) };
}

/** Whether the mutation changed anything: one that did not proves nothing. */
export function isChange(before: Manifests, after: Manifests): boolean {
  return !isDeepStrictEqual(before.all, after.all);
}

function shown(path: Path): string {
  return segmentsOf(path).join('.');
}

function edit(kind: string, name: string, path: Path, make: (old: unknown) => unknown) {
  return ({ all }: Manifests): Manifests =>
    new Manifests(
      all.map((manifest) =>
        manifest.kind === kind && manifest.metadata.name === name
          ? (replaced(manifest, segmentsOf(path), make) as Manifest)
          : manifest,
      ),
    );
}

/** A copy in which the value at the segments is what `make` gives; undefined takes it away. */
function replaced(value: unknown, segments: readonly string[], make: (old: unknown) => unknown): unknown {
  const [segment, ...rest] = segments;
  if (segment === undefined) return make(value);
  if (Array.isArray(value)) {
    const position = positionOf(value, segment);
    if (position < 0 || position >= value.length) return value;
    const next = replaced(value[position], rest, make);
    return value.flatMap((element, index) => (index !== position ? [element] : next === undefined ? [] : [next]));
  }
  const fields = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  const next = replaced(Object.hasOwn(fields, segment) ? fields[segment] : undefined, rest, make);
  const { [segment]: _, ...others } = fields;
  // Nothing is made on the way to something that is then taken away.
  if (next === undefined) return Object.hasOwn(fields, segment) ? others : value;
  return { ...fields, [segment]: next };
}
