import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { Registry } from 'prom-client';
import { openTelemetryMetrics } from '../../opentelemetry/index.ts';
import { prometheusMetrics } from '../../prometheus/index.ts';
import type { LibraryMetrics } from '../library-metrics.ts';

/** The library's metrics in one system, and what that system shows of them. */
export interface MetricsUnderTest {
  readonly metrics: LibraryMetrics;
  /** Each sample as `name{label="value"} number`, labels in alphabetical order; of a histogram its count and its sum. */
  look(): Promise<string[]>;
}

class ReaderOnDemand extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

function line(name: string, labels: object, value: number): string {
  const shown = Object.entries(labels)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([label, text]) => `${label}="${text}"`);
  return `${name}${shown.length === 0 ? '' : `{${shown.join(',')}}`} ${value}`;
}

export function prometheusUnderTest(): MetricsUnderTest {
  const registry = new Registry();
  const metrics = prometheusMetrics(registry);
  const look = async (): Promise<string[]> =>
    (await registry.getMetricsAsJSON()).flatMap(({ name, values }) =>
      values
        .map((sample) => ({ metricName: name, ...sample }))
        .filter(({ metricName }) => !metricName.endsWith('_bucket'))
        .map(({ metricName, labels, value }) => line(metricName, labels, value)),
    );
  return { metrics, look };
}

export function openTelemetryUnderTest(): MetricsUnderTest {
  // Of the two, cumulative keeps what a gauge no longer observes: that is the SDK's own.
  const reader = new ReaderOnDemand({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
  const provider = new MeterProvider({ readers: [reader] });
  const metrics = openTelemetryMetrics(provider.getMeter('test'));
  const look = async (): Promise<string[]> => {
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .flatMap(({ descriptor: { name }, dataPoints }) =>
        dataPoints.flatMap(({ attributes, value }) =>
          typeof value === 'number'
            ? [line(name, attributes, value)]
            : [
                line(`${name}_sum`, attributes, 'sum' in value ? (value.sum ?? 0) : 0),
                line(`${name}_count`, attributes, value.count),
              ],
        ),
      );
  };
  return { metrics, look };
}
