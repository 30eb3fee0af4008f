import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, Manifests } from '../manifests.ts';

/** The kind under which the files of the chart itself stand among its manifests, so that rules judge them alike. */
export const CHART_FILES = 'ChartFiles';

const FILES = ['Chart.yaml', 'README.md', 'values.yaml', 'values.schema.json', 'templates/NOTES.txt'];

/** What was rendered, together with the files that say how it is meant. */
export function withChartFiles(manifests: Manifests, chart: string): Manifests {
  const data = Object.fromEntries(FILES.map((file) => [file, readFileSync(join(chart, file), 'utf8')]));
  const files: Manifest = { apiVersion: 'neural-hive.local/v1', kind: CHART_FILES, metadata: { name: 'vault' }, data };
  return new Manifests([...manifests.all, files]);
}
