import { events } from '@neural-hive/security/common';
import { prometheusMetrics } from '@neural-hive/security/prometheus';
import { SpiffeManager } from '@neural-hive/security/spiffe';
import { Registry } from 'prom-client';

const registry = new Registry();
const metrics = prometheusMetrics(registry);
const stop = events.svid.subscribe(({ svidType, change, spiffeId }) => {
  console.log(`${svidType} ${change} ${spiffeId}`);
});

const manager = await SpiffeManager.open({ metrics: metrics.spiffe });
await manager.fetchJwtSvid('orders.example.org');
console.log(await registry.metrics());

await manager.close();
stop();
