import { type Attributes, type HrTime, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { events } from '../../common/index.ts';

/** What keeps a client alive. The context of its timers is that of whatever set the first of them, long ago. */
const BY_ITSELF = /^(auth|token|lease)\./;

interface Ended {
  readonly name: string;
  readonly kind: SpanKind;
  /** Why it failed: a code; undefined when it did not. */
  readonly failure: string | undefined;
  readonly durationMs: number;
  readonly root: boolean;
  readonly attributes: Attributes;
}

/** Listens to the library's events; the returned function ends that. */
export function recordSpans(tracer: Tracer): () => void {
  const record = ({ name, kind, failure, durationMs, root, attributes }: Ended): void => {
    const endMs = performance.timeOrigin + performance.now();
    const span = tracer.startSpan(name, { kind, root, attributes, startTime: hrTime(endMs - durationMs) });
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span.end(hrTime(endMs));
  };
  const stops = [
    events.vaultRequest.subscribe(({ operation, status, durationMs }) =>
      record({
        name: `vault ${operation}`,
        kind: SpanKind.CLIENT,
        failure: status === 'success' ? undefined : status,
        durationMs,
        root: BY_ITSELF.test(operation),
        attributes: { 'vault.operation': operation, 'vault.status': status },
      }),
    ),
    events.svid.subscribe(({ svidType, change, durationMs, spiffeId }) => {
      // A push took nobody's time.
      if (durationMs === 0) return;
      const who = spiffeId === undefined ? {} : { 'spiffe.id': spiffeId };
      record({
        name: `spiffe fetch ${svidType}`,
        kind: SpanKind.CLIENT,
        failure: change === 'success' ? undefined : change,
        durationMs,
        root: false,
        attributes: { 'spiffe.svid_type': svidType, 'spiffe.status': change, ...who },
      });
    }),
    events.rotation.subscribe(({ credential, reason, ok, generation, durationMs, drainMs, terminated, errorCode }) =>
      record({
        name: 'credential rotation',
        kind: SpanKind.INTERNAL,
        failure: ok ? undefined : (errorCode ?? 'failed'),
        durationMs,
        root: true,
        attributes: {
          'credential.name': credential,
          'credential.reason': reason,
          'credential.generation': generation,
          'credential.drain_ms': drainMs,
          'credential.terminated': terminated,
        },
      }),
    ),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** A number alone would be taken for time since the process began when it is small. */
function hrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1_000);
  return [seconds, Math.floor((epochMs - seconds * 1_000) * 1e6)];
}
