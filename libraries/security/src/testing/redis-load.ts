import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisClients } from './redis-drivers.ts';

/** The users of the load, twenty in all. */
export const POPPERS = 6;
const [WRITERS, TRANSACTORS, PUBLISHERS] = [7, 5, 2];
const LIST = 'load:list';
const CHANNEL = 'load:channel';

export interface LoadResult {
  readonly done: number;
  readonly failures: readonly unknown[];
  /** Elements that a transaction pushed and nobody popped, and messages that were not heard exactly once. */
  readonly lost: number;
  readonly reconnects: number;
}

export interface RedisLoad {
  readonly done: () => number;
  readonly stop: () => Promise<LoadResult>;
}

/**
 * Twenty users at once, each of which repeats its work and never a failed command: SET and GET, MULTI, BLPOP of 0.05 to
 * 0.3 s on connections of their own, and publishers whose numbered messages a subscriber hears.
 */
export async function startRedisLoad(clients: RedisClients): Promise<RedisLoad> {
  const { commands, pop } = clients;
  const failures: unknown[] = [];
  const heard = new Map<string, number>();
  let [running, done, pushed, popped] = [true, 0, 0, 0];
  let sent = 0;
  await clients.subscribe(CHANNEL, (message) => heard.set(message, (heard.get(message) ?? 0) + 1));
  const user = async (work: () => Promise<void>): Promise<void> => {
    while (running) {
      try {
        await work();
        done += 1;
      } catch (error) {
        failures.push(error);
        // A broken connection refuses at once; a user that spins would keep it from coming back.
        await delay(5);
      }
    }
  };
  const times = (count: number, work: (index: number) => () => Promise<void>): Promise<void>[] =>
    Array.from({ length: count }, (_, index) => user(work(index)));
  const users = [
    ...times(WRITERS, (index) => {
      let value = 0;
      return async () => {
        value += 1;
        await commands.set(`load:${index}`, String(value));
        assert.equal(await commands.get(`load:${index}`), String(value));
      };
    }),
    ...times(TRANSACTORS, (index) => async () => {
      await commands.transaction(`load:count:${index}`, LIST);
      pushed += 1;
      await delay(1 + Math.random() * 9);
    }),
    ...times(PUBLISHERS, () => async () => {
      sent += 1;
      await commands.publish(CHANNEL, String(sent));
    }),
    // Half of them wait on a list that stays empty, as a worker without work does.
    ...times(POPPERS, (index) => async () => {
      const list = index % 2 === 0 ? LIST : `${LIST}:empty`;
      if ((await pop[index]?.(list, 0.05 + Math.random() * 0.25)) !== undefined) popped += 1;
    }),
  ];
  return {
    done: () => done,
    async stop() {
      running = false;
      await Promise.all(users);
      // Everything that was pushed or said before is in front of these.
      await commands.publish(CHANNEL, 'last').catch((error: unknown) => failures.push(error));
      if (failures.length === 0) {
        while ((await pop[0]?.(LIST, 0.05)) !== undefined) popped += 1;
        while (!heard.has('last')) await delay(5);
      }
      const once = [...heard].filter(([message, count]) => message !== 'last' && count === 1).length;
      return { done, failures, lost: pushed - popped + (sent - once), reconnects: clients.reconnects() };
    },
  };
}
