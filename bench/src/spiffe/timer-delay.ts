import { setImmediate as turn } from 'node:timers/promises';
import { verifyJwtSvid } from '@neural-hive/security/spiffe';
import { jwtVerify } from 'jose';
import { type Result, resultOf } from '../result.ts';
import { AUDIENCE, ISSUER, tokenSet } from './tokens.ts';

const ROUNDS = 5;
const ROUND_MS = 600;

/** How late a timer of one millisecond is (99th percentile) while 32 callers verify without a pause. */
export async function* timerDelayResults(): AsyncGenerator<Result> {
  const set = tokenSet('ES256');
  const options = { bundles: set.bundles, audience: AUDIENCE, issuer: ISSUER };
  const ours = async (index: number): Promise<void> => {
    verifyJwtSvid(set.at(index), options);
    // A server reads the next request from its socket: the event loop turns between two verifications of one caller.
    await turn();
  };
  const peer = async (index: number): Promise<void> => {
    await jwtVerify(set.at(index), set.signer.publicKey, { audience: AUDIENCE, issuer: ISSUER });
    await turn();
  };
  const rounds: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  for (let index = 0; index < ROUNDS; index += 1) {
    rounds.ours.push(await delayUnder(ours));
    rounds.peer.push(await delayUnder(peer));
  }
  yield resultOf('p99 delay of a 1 ms timer, 32 callers, ES256 / jose', 'ms', rounds);
}

async function delayUnder(operation: (index: number) => Promise<void>): Promise<number> {
  const endMs = performance.now() + ROUND_MS;
  const delays: number[] = [];
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const startMs = performance.now();
    timer = setTimeout(() => {
      delays.push(performance.now() - startMs - 1);
      arm();
    }, 1);
  };
  arm();
  const caller = async (_: unknown, lane: number): Promise<void> => {
    for (let index = lane; performance.now() < endMs; index += 1) await operation(index);
  };
  await Promise.all(Array.from({ length: 32 }, caller)).finally(() => clearTimeout(timer));
  delays.sort((a, b) => a - b);
  return delays[Math.floor(delays.length * 0.99)] ?? ROUND_MS;
}
