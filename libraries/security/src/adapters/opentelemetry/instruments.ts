import type { Meter } from '@opentelemetry/api';
import type { Instruments } from '../metrics/instruments.ts';

/** Makes the library's metrics with `meter`. */
export function openTelemetryInstruments(meter: Meter): Instruments {
  return {
    counter(name, description) {
      const counter = meter.createCounter(name, { description });
      return (labels) => counter.add(1, labels);
    },
    histogram(name, description, _labels, buckets) {
      const advice = { explicitBucketBoundaries: [...buckets] };
      const histogram = meter.createHistogram(name, { description, unit: 's', advice });
      return (labels, seconds) => histogram.record(seconds, labels);
    },
    gauge(name, description, _labels, read) {
      const unit = name.endsWith('_seconds') ? { unit: 's' } : {};
      meter.createObservableGauge(name, { description, ...unit }).addCallback((result) => {
        for (const { labels, value } of read()) result.observe(value, labels);
      });
    },
  };
}
