import { cognitivePlan } from '@neural-hive/contracts';
import { expect, test } from 'vitest';
import { SHAPES, workPlan } from './workload.ts';

test('the same seed makes the same plans, and every one is a plan that the platform takes', () => {
  for (let index = 0; index < 2 * SHAPES.length; index += 1) {
    const work = workPlan(3, index, 'run');
    expect(workPlan(3, index, 'run')).toEqual(work);
    expect(cognitivePlan.safeParse(work.plan)).toMatchObject({ success: true });
  }
});

test('one round of plans has every shape, and no two plans name the same effect', () => {
  const works = SHAPES.map((_, index) => workPlan(1, index, 'run'));
  expect(works.map(({ shape }) => shape)).toEqual([...SHAPES]);
  const effects = works.flatMap(({ plan }) => plan.tasks.flatMap(({ parameters }) => parameters.effect ?? []));
  expect(effects.length).toBeGreaterThan(20);
  expect(new Set(effects).size).toBe(effects.length);
});

test('a plan that is paused is resumed, and one that waits for approval gets a decision', () => {
  const verbs = (shape: (typeof SHAPES)[number]) =>
    workPlan(1, SHAPES.indexOf(shape), 'run').wishes.map(({ verb }) => verb);
  expect(verbs('paused')).toEqual(['pause', 'resume']);
  expect([verbs('approved'), verbs('rejected'), verbs('cancelled')]).toEqual([['approve'], ['reject'], ['cancel']]);
});
