import { at, listAt } from '../manifests.ts';

export type Labels = Readonly<Record<string, string>>;

/** Whether a label selector of Kubernetes takes the labels. An empty selector takes everything. */
export function selects(selector: unknown, labels: Labels): boolean {
  const wanted = Object.entries((at(selector, 'matchLabels') ?? {}) as Labels);
  return (
    wanted.every(([key, value]) => labels[key] === value) &&
    listAt(selector, 'matchExpressions').every((expression) => holds(expression, labels))
  );
}

function holds(expression: unknown, labels: Labels): boolean {
  const value = labels[String(at(expression, 'key'))];
  const values = listAt(expression, 'values');
  switch (at(expression, 'operator')) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      throw new RangeError(`matchExpressions: there is no operator ${String(at(expression, 'operator'))}`);
  }
}
