export { inMemory, openRepository, type Problem, type Repository, type Rule } from './repository.ts';
