import { subscribe, unsubscribe } from 'node:diagnostics_channel';

/** What node-redis says of one command, in the context object that all its events share. */
interface CommandTrace {
  readonly command: string;
  readonly clientId?: string;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** How an AUTH ended. */
export type AuthAnswer = { readonly reply: unknown } | { readonly error: unknown };

/** One AUTH that was sent. */
export interface SentAuth {
  /** The client that sent it; node-redis gives each one a name. */
  readonly clientId: string | undefined;
  /** Never rejects. */
  readonly answered: Promise<AuthAnswer>;
}

const START = 'tracing:node-redis:command:start';
const ASYNC_END = 'tracing:node-redis:command:asyncEnd';

/**
 * Runs `send`, which has node-redis send AUTH before it returns, and follows that command by the driver's tracing
 * channel (since @redis/client 5.12): its streaming credentials tell of failures only. Undefined when nothing was sent,
 * or by a driver that does not trace.
 */
export function traceAuth(send: () => void): SentAuth | undefined {
  let trace: CommandTrace | undefined;
  const onStart = (message: unknown): void => {
    const started = message as CommandTrace;
    if (started.command === 'AUTH') trace ??= started;
  };
  subscribe(START, onStart);
  try {
    send();
  } finally {
    unsubscribe(START, onStart);
  }
  if (trace === undefined) return undefined;
  const sent = trace;
  const answered = new Promise<AuthAnswer>((resolve) => {
    const onEnd = (message: unknown): void => {
      if (message !== sent) return;
      unsubscribe(ASYNC_END, onEnd);
      resolve(sent.error === undefined ? { reply: sent.result } : { error: sent.error });
    };
    subscribe(ASYNC_END, onEnd);
  });
  return { clientId: sent.clientId, answered };
}
