import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parseDockerfile } from './dockerfile.ts';

const repository = resolve(import.meta.dirname, '../../../..');

test('a Dockerfile is its stages and what each does, in order', () => {
  const text = `# A comment
FROM node:24 AS build
WORKDIR /app
COPY . .
RUN npm ci \\
    --omit=dev
# Between.
FROM debian
ENV NODE_ENV=production
COPY --from=build /app/a /app/b ./
USER 1:2
ENTRYPOINT ["node", "a b"]
CMD ["--help"]
`;
  expect(parseDockerfile(text)).toEqual([
    {
      base: 'node:24',
      name: 'build',
      instructions: [
        { kind: 'workdir', folder: '/app' },
        { kind: 'copy', from: undefined, sources: ['.'], target: '.' },
        { kind: 'run', command: 'npm ci --omit=dev' },
      ],
    },
    {
      base: 'debian',
      name: undefined,
      instructions: [
        { kind: 'env', values: { NODE_ENV: 'production' } },
        { kind: 'copy', from: 'build', sources: ['/app/a', '/app/b'], target: './' },
        { kind: 'user', uid: 1, gid: 2 },
        { kind: 'entrypoint', words: ['node', 'a b'] },
        { kind: 'cmd', words: ['--help'] },
      ],
    },
  ]);
});

test.each([
  'ARG A=1',
  'RUN',
  'USER node',
  'ENV A 1',
  'CMD node main.js',
  'ENTRYPOINT ["node", 1]',
  'COPY a',
  'COPY --chown=1 a b',
  'FROM a AS',
])('what is not understood is refused, not left out: %s', (line) => {
  expect(parseDockerfile('FROM a\nWORKDIR /b')).toHaveLength(1);
  expect(() => parseDockerfile(`FROM a\n${line}`)).toThrow(expect.objectContaining({ code: 'command_failed' }));
});

test('an instruction before the first stage is refused', () => {
  expect(() => parseDockerfile('WORKDIR /a')).toThrow(/WORKDIR/);
});

test.each(['orchestrator-dynamic', 'service-registry', 'worker-agents'])(
  'the Dockerfile of %s runs as the user of its chart, on a pinned line of Node, and installs from the lock',
  (service) => {
    const stages = parseDockerfile(readFileSync(join(repository, 'services', service, 'Dockerfile'), 'utf8'));
    expect(stages.map(({ base }) => base)).toEqual(['node:24-bookworm-slim', 'node:24-bookworm-slim']);
    const values = readFileSync(join(repository, 'helm-charts/service-library/values.yaml'), 'utf8');
    const [uid, gid] = ['runAsUser', 'runAsGroup'].map((name) =>
      Number(new RegExp(`${name}: (\\d+)`).exec(values)?.[1]),
    );
    const last = stages.at(-1)?.instructions ?? [];
    expect(last).toContainEqual({ kind: 'user', uid, gid });
    expect(last).toContainEqual({ kind: 'entrypoint', words: ['node', `/app/services/${service}/dist/main.js`] });
    const runs = stages.flatMap(({ instructions }) => instructions.filter(({ kind }) => kind === 'run'));
    expect(runs[0]).toMatchObject({ command: expect.stringMatching(/^npm ci /) });
    // Elsewhere than in the working directory it would be done to the machine of whoever builds without a container.
    expect(last.some(({ kind }) => kind === 'run')).toBe(false);
  },
);
