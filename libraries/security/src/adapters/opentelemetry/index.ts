import { type Meter, metrics, type Tracer, trace } from '@opentelemetry/api';
import { type LibraryMetrics, libraryMetrics } from '../metrics/library-metrics.ts';
import { openTelemetryInstruments } from './instruments.ts';
import { recordSpans } from './spans.ts';

const SCOPE = '@neural-hive/security';

/**
 * Every metric of the library, under the names and with the attributes that `/prometheus` gives them. Call it once per
 * meter.
 * @param meter Default: that of the global provider, which must be set by then; one that is set later gets nothing.
 */
export function openTelemetryMetrics(meter: Meter = metrics.getMeter(SCOPE)): LibraryMetrics {
  return libraryMetrics(openTelemetryInstruments(meter));
}

/**
 * A span for each call to Vault, each fetch of an SVID and each rotation of a credential in this process. It is recorded when
 * the work has ended, as a child of the span in whose context the work was asked for. What the library does by itself (logins,
 * renewals, rotations) has no parent.
 * @param tracer Default: that of the global provider.
 * @returns Ends it.
 */
export function openTelemetrySpans(tracer: Tracer = trace.getTracer(SCOPE)): () => void {
  return recordSpans(tracer);
}

export type { LibraryMetrics } from '../metrics/library-metrics.ts';
