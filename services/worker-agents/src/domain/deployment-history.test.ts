import { expect, test } from 'vitest';
import { type DeploymentHistory, previousOf, withDeployed, withoutDeployed } from './deployment-history.ts';

const of = (...tickets: string[]): DeploymentHistory => tickets.map((ticket) => ({ ticket, image: `image-${ticket}` }));

test('what a ticket deployed is current, and an undo brings back what was before', () => {
  const history = withDeployed(of('a'), { ticket: 'b', image: 'image-b' });
  expect(history).toEqual(of('a', 'b'));
  expect(previousOf(history, 'b')).toBe('image-a');
  expect(withoutDeployed(history, 'b')).toEqual({ history: of('a'), done: 'switched' });
});

test('a second attempt of a ticket remembers what was before both', () => {
  const history = withDeployed(of('a', 'b'), { ticket: 'b', image: 'image-b' });
  expect([history, previousOf(history, 'b')]).toEqual([of('a', 'b'), 'image-a']);
  expect(previousOf(of('a'), 'a')).toBeUndefined();
});

test('a release that came later stays, and goes back past the undone one', () => {
  const { history, done } = withoutDeployed(of('a', 'b', 'c'), 'b');
  expect([history, done]).toEqual([of('a', 'c'), 'superseded']);
  expect(withoutDeployed(history, 'c').history).toEqual(of('a'));
});

test('undoing twice changes nothing', () => {
  expect(withoutDeployed(of('a'), 'b')).toEqual({ history: of('a'), done: 'already' });
});

test('only the last ones are kept', () => {
  let history: DeploymentHistory = [];
  for (let n = 0; n < 30; n += 1) history = withDeployed(history, { ticket: `t${n}`, image: 'i' });
  expect([history.length, history.at(-1)?.ticket]).toEqual([10, 't29']);
});
