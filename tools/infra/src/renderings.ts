import type { RenderOptions } from './helm.ts';
import { serviceRenderings } from './services/renderings.ts';
import { spireRenderings } from './spire/renderings.ts';
import { vaultRenderings } from './vault/renderings.ts';

/** One chart with one set of values, for the checks that judge everything alike. */
export interface Rendering {
  readonly name: string;
  readonly options: RenderOptions;
}

/** Of every chart. One line a chart, so that branches merge. */
export function renderings(root: string): readonly Rendering[] {
  return [
    ...vaultRenderings(root), //
    ...spireRenderings(root),
    ...serviceRenderings(root),
  ];
}
