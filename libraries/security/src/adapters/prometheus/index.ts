import type { Registry } from 'prom-client';
import { type LibraryMetrics, libraryMetrics } from '../metrics/library-metrics.ts';
import { prometheusInstruments } from './instruments.ts';

/**
 * Every metric of the library, in `registry`. Call it once per registry: it refuses a name that is taken. What counts
 * down, such as the seconds until an SVID ends, is computed at each scrape.
 */
export function prometheusMetrics(registry: Registry): LibraryMetrics {
  return libraryMetrics(prometheusInstruments(registry));
}

export type { LibraryMetrics, LibraryMetrics as PrometheusMetrics } from '../metrics/library-metrics.ts';
