import { isCode, type Rule } from '../repository.ts';

const MAX_LINES = 400;

export const fileLength: Rule = {
  name: 'file length',
  check: (repository) =>
    repository.files.filter(isCode).flatMap((file) => {
      const lines = repository.read(file).split('\n').length - 1;
      return lines > MAX_LINES ? [{ file, message: `has ${lines} lines; ${MAX_LINES} is the most` }] : [];
    }),
};
