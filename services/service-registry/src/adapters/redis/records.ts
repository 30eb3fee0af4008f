import type { Agent } from '../../domain/agent.ts';
import type { NewChange } from '../../domain/agent-store.ts';

/** What changes with each heartbeat; the rest is what an agent registered. */
export type Seen = Pick<Agent, 'status' | 'telemetry' | 'lastSeenMs'>;

export function encodeSeen({ status, telemetry, lastSeenMs }: Agent): string {
  return JSON.stringify({ status, telemetry, lastSeenMs } satisfies Seen);
}

export function encodeRegistered({ status: _, telemetry: __, lastSeenMs: ___, ...registered }: Agent): string {
  return JSON.stringify(registered);
}

export function decodeAgent(registered: string, seen: string): Agent {
  return { ...JSON.parse(registered), ...decodeSeen(seen) } as Agent;
}

export function decodeSeen(text: string): Seen {
  const { status, telemetry, lastSeenMs } = JSON.parse(text) as Seen;
  return { status, telemetry, lastSeenMs };
}

export function encodeChange(change: NewChange): string {
  return JSON.stringify(change);
}

export function decodeChange(text: string): NewChange {
  return JSON.parse(text) as NewChange;
}

/** The part before the first space, as a number, and the part behind it. */
export function splitNumbered(text: string): readonly [number, string] {
  const [head, rest] = splitFirst(text);
  return [Number(head), rest];
}

export function splitFirst(text: string): readonly [string, string] {
  const space = text.indexOf(' ');
  return [text.slice(0, space), text.slice(space + 1)];
}
