import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CognitivePlan, cognitivePlan } from '@neural-hive/contracts';
import { describe, expect, test } from 'vitest';
import { defaultPrograms } from './attempts/program-catalogue.ts';
import { projectFolder } from './executors/project-folder.ts';

const examples = fileURLToPath(new URL('../../../examples', import.meta.url));
const read = (name: string): CognitivePlan =>
  cognitivePlan.parse(JSON.parse(readFileSync(`${examples}/plans/${name}.json`, 'utf8')));

describe.each(['release', 'rollback'])('the example plan %s', (name) => {
  test('fits the contract, and its order names every task once, after its dependencies', () => {
    const { tasks, execution_order: order } = read(name);
    expect([...order].sort()).toEqual(tasks.map((task) => task.task_id).sort());
    for (const { task_id, dependencies } of tasks) {
      for (const dependency of dependencies) expect(order.indexOf(dependency)).toBeLessThan(order.indexOf(task_id));
    }
  });

  test('names programs and projects that there are', () => {
    const programs = defaultPrograms({ typescript: '/typescript' });
    for (const { task_type: type, parameters } of read(name).tasks) {
      if (type !== 'BUILD' && type !== 'TEST') continue;
      expect(programs[parameters.program ?? '']?.task_types).toContain(type);
      expect(projectFolder(`${examples}/projects`, parameters.project ?? '')).toMatch(/release-app$/);
    }
  });
});

test('the release waits for an approval and keeps what it read in Vault; the rollback ends with a deployed release', () => {
  const release = read('release');
  expect(release.requires_approval).toBe(true);
  expect(release.tasks.map((task) => task.task_type)).toEqual(['BUILD', 'TEST', 'QUERY', 'DEPLOY']);
  expect(release.tasks.find((task) => task.task_type === 'QUERY')?.metadata.security_level).toBe('CONFIDENTIAL');
  expect(read('rollback').tasks.map((task) => task.task_type)).toEqual(['BUILD', 'DEPLOY', 'TEST']);
});
