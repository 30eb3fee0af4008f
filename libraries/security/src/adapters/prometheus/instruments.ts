import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Instruments } from '../metrics/instruments.ts';

/** Makes the library's metrics in `registry`. */
export function prometheusInstruments(registry: Registry): Instruments {
  const registers = [registry];
  return {
    counter(name, help, labelNames) {
      const counter = new Counter({ name, help, labelNames, registers });
      return (labels) => counter.inc(labels);
    },
    histogram(name, help, labelNames, buckets) {
      const histogram = new Histogram({ name, help, labelNames, buckets: [...buckets], registers });
      return (labels, seconds) => histogram.observe(labels, seconds);
    },
    gauge(name, help, labelNames, read) {
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          // Without labels a reset leaves a 0, which says that something has ended.
          if (labelNames.length === 0) this.remove();
          for (const { labels, value } of read()) this.set(labels, value);
        },
      });
    },
  };
}
