import type { Rule } from '../repository.ts';

/** Things that belong to one machine or one person and mean nothing to a reader. */
const PRIVATE: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  {
    what: 'a path of one machine',
    pattern: /(?<![\w.])\/(?:work\/(?:main|shared|\.library)|home\/[a-z]+|Users\/[A-Za-z]+)\//,
  },
  { what: 'a package with its download address', pattern: /"resolved": "https?:/ },
];

export const privateNames: Rule = {
  name: 'no machine paths, no registry hosts',
  check: (repository) =>
    repository.files
      .filter((file) => /\.(ts|mjs|js|json|md|sh|yaml|yml|toml|txt|sql)$/.test(file) || file === '.ci/run')
      .filter((file) => !file.startsWith('tools/check/'))
      .flatMap((file) => {
        const text = repository.read(file);
        return PRIVATE.filter(({ pattern }) => pattern.test(text)).map(({ what }) => ({
          file,
          message: `names ${what}`,
        }));
      }),
};
