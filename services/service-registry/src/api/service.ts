import { once } from 'node:events';
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import {
  type AgentChangeEvent,
  AgentStatus as AgentStatusCode,
  type ServiceRegistryServer,
  type WatchAgentsRequest,
} from '@neural-hive/contracts/proto/service-registry';
import type { Registry } from '../domain/registry.ts';
import type { Watchers } from '../domain/watchers.ts';
import {
  agentInfoOf,
  agentTypeOf,
  changeEventOf,
  checkedAgentId,
  decodePageToken,
  encodePageToken,
  registerCommandOf,
  telemetryOf,
} from './messages.ts';
import { type StatusAnswer, statusOf } from './status.ts';

/** The verified identity of a call, as the authentication put it there. */
export type CallerOf = (call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>) => {
  toString(): string;
};

/** A call that ended. */
export interface OperationReport {
  readonly operation: string;
  /** The name of the gRPC status. */
  readonly status: string;
  readonly seconds: number;
  readonly error?: unknown;
}

export interface ServiceOptions {
  readonly registry: Registry;
  readonly watchers: Watchers;
  readonly callerOf: CallerOf;
  readonly onOperation: (operation: OperationReport) => void;
  /** Ends the watch streams when the service stops. */
  readonly signal: AbortSignal;
}

/** The eight methods of `neural_hive.service_registry.ServiceRegistry`. */
export function registryService(options: ServiceOptions): ServiceRegistryServer {
  const { registry, watchers, callerOf, onOperation, signal } = options;

  function timed(operation: string): (refusal?: StatusAnswer, error?: unknown) => void {
    const startedMs = performance.now();
    return (refusal, error) =>
      onOperation({
        operation,
        status: status[refusal?.code ?? status.OK],
        seconds: (performance.now() - startedMs) / 1000,
        error,
      });
  }

  function unary<Request, Response>(
    operation: string,
    handle: (request: Request, caller: string) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      const ended = timed(operation);
      const answer = async (): Promise<Response> => handle(call.request, callerOf(call).toString());
      answer().then(
        (response) => {
          ended();
          callback(null, response);
        },
        (error: unknown) => {
          const refusal = statusOf(error);
          ended(refusal, error);
          callback(refusal);
        },
      );
    };
  }

  const watchAgents: handleServerStreamingCall<WatchAgentsRequest, AgentChangeEvent> = (call) => {
    const ended = timed('watch_agents');
    const cancelled = new AbortController();
    call.once('cancelled', () => cancelled.abort());
    call.once('close', () => cancelled.abort());
    const follow = async (): Promise<StatusAnswer | undefined> => {
      const changes = watchers.watch({
        caller: callerOf(call).toString(),
        type: agentTypeOf(call.request.agentType),
        agentId: call.request.agentId === undefined ? undefined : checkedAgentId(call.request.agentId),
        afterRevision: call.request.afterRevision,
        signal: AbortSignal.any([cancelled.signal, signal]),
      });
      for await (const change of changes) {
        if (!call.write(changeEventOf(change))) await drained(call, cancelled.signal);
      }
      return signal.aborted
        ? { code: status.UNAVAILABLE, details: 'The registry stops: watch again after the last revision' }
        : undefined;
    };
    follow().then(
      (refusal) => {
        ended(refusal);
        if (refusal === undefined) call.end();
        else call.emit('error', refusal);
      },
      (error: unknown) => {
        const refusal = statusOf(error);
        ended(refusal, error);
        call.emit('error', refusal);
      },
    );
  };

  return {
    register: unary('register', async (request, caller) => {
      const agent = await registry.register(caller, registerCommandOf(request));
      return { agentId: agent.agentId, registeredAt: agent.registeredAtMs };
    }),
    heartbeat: unary('heartbeat', async (request, caller) => {
      const agent = await registry.heartbeat(caller, request.agentId, telemetryOf(request.telemetry));
      return { status: AgentStatusCode[agent.status], lastSeen: agent.lastSeenMs };
    }),
    deregister: unary('deregister', async (request, caller) => ({
      success: await registry.deregister(caller, request.agentId),
    })),
    discoverAgents: unary('discover_agents', async (request) => {
      const ranked = await registry.discover(request);
      return {
        agents: ranked.map(({ candidate }) => agentInfoOf(candidate)),
        ranked: true,
        scores: ranked.map(({ score }) => score),
      };
    }),
    getAgent: unary('get_agent', async ({ agentId }) => ({
      agent: agentInfoOf(await registry.get(checkedAgentId(agentId))),
    })),
    listAgents: unary('list_agents', async (request) => {
      const { agents, nextAfterId } = await registry.list({
        type: agentTypeOf(request.agentType),
        filters: request.filters,
        pageSize: request.pageSize,
        afterId: decodePageToken(request.pageToken),
      });
      return { agents: agents.map(agentInfoOf), nextPageToken: encodePageToken(nextAfterId) };
    }),
    watchAgents,
    notifyAgent: unary('notify_agent', async ({ agentId, notificationType, message, metadata }) => {
      const success = await registry.notify(checkedAgentId(agentId), { type: notificationType, message, metadata });
      return { success, error: success ? '' : 'Nobody watches for this agent now: notify it again later' };
    }),
  };
}

/** Resolves when the stream takes more, or has ended. */
async function drained(
  call: ServerWritableStream<WatchAgentsRequest, AgentChangeEvent>,
  signal: AbortSignal,
): Promise<void> {
  await once(call, 'drain', { signal }).catch(() => undefined);
}
