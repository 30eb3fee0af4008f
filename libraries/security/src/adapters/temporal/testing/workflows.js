import { proxyActivities, sleep } from '@temporalio/workflow';

// One attempt each: a task that is lost fails its workflow.
const { work } = proxyActivities({ startToCloseTimeout: '2 minutes', retry: { maximumAttempts: 1 } });

/** Adds up what its activities give back. */
export async function order(steps) {
  let sum = 0;
  for (let step = 1; step <= steps; step += 1) sum += await work(step);
  return sum;
}

/** Is there for so long. */
export async function wait(ms) {
  await sleep(ms);
  return ms;
}
