import { expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, field, readConfig, readParts, withDefaults } from './index.ts';

const schema = z.object({ PORT: field.port(), HOST: field.text() });
const part = (env: Record<string, string>) => () => readConfig(schema, env);

test('the parts of a configuration are read together', () => {
  const good = { PORT: '1', HOST: 'a' };
  expect(readParts({ one: part(good), two: () => 'x' })).toEqual({ one: { PORT: 1, HOST: 'a' }, two: 'x' });
});

test('the problems of all parts are told at once, and one that several have is told once', () => {
  const reading = () => readParts({ one: part({ PORT: 'x', HOST: 'a' }), two: part({ PORT: 'x' }) });
  expect(reading).toThrow(ConfigError);
  try {
    reading();
  } catch (error) {
    expect((error as ConfigError).problems).toEqual(['PORT: must be a whole number', 'HOST: is required and not set']);
  }
});

test('what is no problem of the configuration is not hidden among them', () => {
  const defect = new Error('a defect');
  expect(() =>
    readParts({
      one: part({}),
      two: () => {
        throw defect;
      },
    }),
  ).toThrow(defect);
});

test('a default counts for what is unset or empty, and for nothing else', () => {
  const env = { A: 'given', B: '', C: undefined };
  expect(withDefaults(env, { A: 'a', B: 'b', C: 'c', D: 'd' })).toEqual({ A: 'given', B: 'b', C: 'c', D: 'd' });
});
