import { dirname } from 'node:path/posix';
import type { Rule } from '../repository.ts';

export const workspaceReadme: Rule = {
  name: 'a README in every workspace',
  check: (repository) => {
    const { workspaces } = JSON.parse(repository.read('package.json')) as { workspaces: string[] };
    const folders = new Set(repository.files.filter((file) => /\/README\.md$/.test(file)).map((file) => dirname(file)));
    return workspaces.filter((folder) => !folders.has(folder)).map((file) => ({ file, message: 'has no README.md' }));
  },
};
