import { type handleServerStreamingCall, type handleUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import { ServiceRegistryService } from '@neural-hive/contracts/proto/service-registry';
import type { HealthCheckRequest, HealthCheckResponse, ServingStatus } from './health-message.ts';

/** The name by which probes ask for the registry itself; the empty name asks for the server. */
const SERVICE_NAME = ServiceRegistryService.register.path.split('/')[1] ?? '';

type WatchCall = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/**
 * The standard health service of gRPC. Check asks at once; those who watch are told by `refresh`.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export class HealthService {
  readonly #watching = new Map<WatchCall, ServingStatus>();
  readonly #isServing: () => boolean;
  #closed = false;

  constructor(isServing: () => boolean) {
    this.#isServing = isServing;
  }

  readonly check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = (call, callback) => {
    if (!isKnown(call.request.service)) callback({ code: status.NOT_FOUND, details: 'There is no such service here' });
    else callback(null, { status: this.#status() });
  };

  readonly watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    const stop = (): void => void this.#watching.delete(call);
    call.once('cancelled', stop).once('close', stop).once('error', stop);
    const told = isKnown(call.request.service) ? this.#status() : 'SERVICE_UNKNOWN';
    if (told !== 'SERVICE_UNKNOWN') this.#watching.set(call, told);
    call.write({ status: told });
  };

  /** Tells everyone who watches when the state has changed. */
  refresh(): void {
    const now = this.#status();
    for (const [call, told] of this.#watching) {
      if (told === now) continue;
      this.#watching.set(call, now);
      call.write({ status: now });
    }
  }

  /** Says NOT_SERVING from now on and ends the streams. */
  close(): void {
    this.#closed = true;
    this.refresh();
    for (const call of this.#watching.keys()) call.end();
    this.#watching.clear();
  }

  #status(): ServingStatus {
    return !this.#closed && this.#isServing() ? 'SERVING' : 'NOT_SERVING';
  }
}

function isKnown(service: string): boolean {
  return service === '' || service === SERVICE_NAME;
}
