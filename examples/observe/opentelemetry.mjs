import { openTelemetryMetrics, openTelemetrySpans } from '@neural-hive/security/opentelemetry';
import { SpiffeManager } from '@neural-hive/security/spiffe';
import { metrics } from '@opentelemetry/api';
import { ConsoleMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

// Your SDK's own set-up, which comes first.
const reader = new PeriodicExportingMetricReader({ exporter: new ConsoleMetricExporter() });
const meters = new MeterProvider({ readers: [reader] });
metrics.setGlobalMeterProvider(meters);
const traces = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())] });

const counted = openTelemetryMetrics();
const stop = openTelemetrySpans(traces.getTracer('orders'));

const manager = await SpiffeManager.open({ metrics: counted.spiffe });
await manager.fetchJwtSvid('orders.example.org');
await meters.forceFlush();

await manager.close();
stop();
await meters.shutdown();
