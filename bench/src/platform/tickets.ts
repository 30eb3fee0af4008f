import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { asOperator, type Operator, sumOfMetric } from '@neural-hive/cli';
import type { Result } from '../result.ts';
import { HiveStage } from './hive-stage.ts';
import { atLeast, atMost, type Bound } from './registry-bound.ts';

const WORKERS = 8;
/** Tickets that can run at the same time: the others wait for one that is done. */
const ABREAST = 50;
const TICKETS = 1_000;
const PLANS = 8;
const WARM_UP_TICKETS = 200;
/** Four of them are the ten thousand; more would not fit into the bytes that a plan may have. */
const LARGE_PLAN = 2_500;
const LARGE_PLANS = 4;
const SAMPLED_TICKETS = 1_000;
const POLL_MS = 50;

const CONTENT = 'nothing\n';

/**
 * Tickets through the whole embedded platform: eight worker processes whose executor does next to nothing (VALIDATE of a
 * checksum: one small file), with every identity, token, login and settings look-up that a ticket costs otherwise.
 */
export async function* ticketResults(): AsyncGenerator<Result | Bound | Share> {
  const stage = await HiveStage.open({ workers: WORKERS, files: { 'file.txt': CONTENT } });
  try {
    yield* await asOperator(stage.home, async (operator) => {
      const bench = new TicketBench(stage, operator);
      await bench.run([WARM_UP_TICKETS]);
      const small = await bench.run([100]);
      const one = await bench.run([TICKETS]);
      const eight = await bench.run(Array.from({ length: PLANS }, () => TICKETS / PLANS));
      const large = await bench.sample(
        Array.from({ length: LARGE_PLANS }, () => LARGE_PLAN),
        SAMPLED_TICKETS,
      );
      const runs = [small, one, eight];
      return [
        atLeast('tickets a second, one plan', one.perSecond, 100, 'per second'),
        atLeast(`tickets a second, ${PLANS} plans`, eight.perSecond, 150, 'per second'),
        atMost('events a ticket', one.events / one.tickets, 4, 'events'),
        atMost(
          'tickets lost',
          sumOf(runs, ({ lost }) => lost),
          0,
          'tickets',
        ),
        atMost(
          'tickets done twice',
          sumOf(runs, ({ doubled }) => doubled),
          0,
          'tickets',
        ),
        // Twofold is no growth with the number of tickets, which are a hundredfold.
        atMost('CPU time a ticket, 1 000 tickets / 100', one.cpuMs / small.cpuMs, 2, 'ratio'),
        atMost('CPU time a ticket, 10 000 tickets / 100', large.cpuMs / small.cpuMs, 2, 'ratio'),
        ...shares(one),
      ];
    });
  } finally {
    await stage.close();
  }
}

/** What a part of the platform used, of what all parts together used. */
export interface Share {
  readonly name: string;
  readonly share: number;
  readonly cpuMsPerTicket: number;
}

interface Measured {
  readonly tickets: number;
  readonly perSecond: number;
  readonly events: number;
  readonly lost: number;
  readonly doubled: number;
  /** A ticket, of all processes together. */
  readonly cpuMs: number;
  readonly parts: Readonly<Record<string, number>>;
}

class TicketBench {
  readonly #stage: HiveStage;
  readonly #operator: Operator;
  #plans = 0;

  constructor(stage: HiveStage, operator: Operator) {
    this.#stage = stage;
    this.#operator = operator;
  }

  /** Runs plans of these sizes at the same time, to their end. */
  async run(sizes: readonly number[]): Promise<Measured> {
    const { ids, measured } = await this.#measure(sizes, (plans) => plans.every(({ final }) => final));
    const views = await Promise.all(ids.map((id) => this.#operator.orchestrator.show(id)));
    const tickets = views.flatMap((view) => view.tickets);
    const lost = tickets.filter(({ status }) => status !== 'COMPLETED').length;
    const again = tickets.filter(({ attempt }) => attempt > 1).length;
    return { ...measured(tickets.length - lost), lost, doubled: again };
  }

  /** Runs plans of these sizes until so many of their tickets are done, and cancels them. */
  async sample(sizes: readonly number[], enough: number): Promise<Measured> {
    const doneBefore = await this.#counted('orchestration_tickets_completed_total');
    let done = 0;
    const { ids, measured } = await this.#measure(sizes, async () => {
      done = (await this.#counted('orchestration_tickets_completed_total')) - doneBefore;
      return done >= enough;
    });
    await Promise.all(ids.map((id) => this.#operator.orchestrator.decide(id, 'cancel')));
    return measured(done);
  }

  async #measure(sizes: readonly number[], over: (plans: readonly PlanSeen[]) => boolean | Promise<boolean>) {
    const { orchestrator } = this.#operator;
    const plans = sizes.map((size) => this.#plan(size));
    const ids = plans.map(({ plan_id: id }) => id);
    const eventsBefore = await this.#counted('orchestration_event_duration_seconds_count');
    const before = this.#stage.cpuMs();
    const startedMs = performance.now();
    await Promise.all(plans.map((plan) => orchestrator.submit(plan)));
    for (;;) {
      const seen = await orchestrator.list({ limit: '20' });
      if (await over(seen.filter(({ id }) => ids.includes(id)))) break;
      await delay(POLL_MS);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    const after = this.#stage.cpuMs();
    const events = (await this.#counted('orchestration_event_duration_seconds_count')) - eventsBefore;
    const used = Object.entries(after).map(([part, ms]) => [part, ms - (before[part] ?? 0)] as const);
    const shown = used.map(([part, ms]) => `${part} ${(ms / 1_000).toFixed(1)} s`).join(', ');
    process.stderr.write(`  plans of ${sizes.join(' + ')} tickets: ${seconds.toFixed(1)} s; CPU: ${shown}\n`);
    const measured = (tickets: number): Measured => ({
      tickets,
      perSecond: tickets / seconds,
      events,
      lost: 0,
      doubled: 0,
      cpuMs: used.reduce((sum, [, ms]) => sum + ms, 0) / tickets,
      parts: Object.fromEntries(used.map(([part, ms]) => [part, ms / tickets])),
    });
    return { ids, measured };
  }

  #plan(size: number) {
    this.#plans += 1;
    const parameters = {
      kind: 'checksum',
      project: 'bench',
      file: 'file.txt',
      sha256: createHash('sha256').update(CONTENT).digest('hex'),
    };
    const tasks = Array.from({ length: size }, (_, index) => ({
      task_id: `t${index}`,
      task_type: 'VALIDATE',
      description: 'does next to nothing',
      dependencies: index < ABREAST ? [] : [`t${index - ABREAST}`],
      parameters,
    }));
    return {
      plan_id: `bench-${this.#plans}`,
      intent_id: 'bench',
      tasks,
      execution_order: tasks.map(({ task_id: id }) => id),
      risk_score: 0.1,
      risk_band: 'low',
      created_at: Date.now(),
      original_domain: 'TECHNICAL',
    };
  }

  async #counted(metric: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#operator.platform.orchestrator.metrics}/metrics`);
    return sumOfMetric(await response.text(), metric);
  }
}

interface PlanSeen {
  readonly id: string;
  readonly final: boolean;
}

function shares({ parts, cpuMs }: Measured): Share[] {
  return Object.entries(parts).map(([part, ms]) => ({
    name: `CPU time of ${part}, one plan`,
    share: Number((ms / cpuMs).toFixed(3)),
    cpuMsPerTicket: Number(ms.toFixed(2)),
  }));
}

function sumOf(runs: readonly Measured[], figure: (run: Measured) => number): number {
  return runs.reduce((sum, run) => sum + figure(run), 0);
}
