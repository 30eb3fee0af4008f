import { expect, test } from 'vitest';
import { ResourceStack, withResources } from './resource-stack.ts';

test('resources close in reverse, once, and also behind one that fails', async () => {
  const closed: string[] = [];
  const stack = new ResourceStack();
  stack.use({ close: () => closed.push('a') });
  stack.defer(() => Promise.reject(new Error('b is stuck')));
  stack.use({ close: () => closed.push('c') });
  await expect(stack.close()).rejects.toThrow('b is stuck');
  await expect(stack.close()).rejects.toThrow('b is stuck');
  expect(closed).toEqual(['c', 'a']);
});

test('what was opened before a failure is closed again', async () => {
  const closed: string[] = [];
  const opening = withResources(async (resources) => {
    resources.use({ close: () => closed.push('a') });
    throw new Error('the second one does not open');
  });
  await expect(opening).rejects.toThrow('the second one does not open');
  expect(closed).toEqual(['a']);
});
