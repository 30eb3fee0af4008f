import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Puts the files of the project `platform` in the order of their names; the others stay as Vitest sorts them. */
export class PlatformInOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const onPlatform = sorted.filter(({ project }) => project.name === 'platform');
    onPlatform.sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
    return [...sorted.filter(({ project }) => project.name !== 'platform'), ...onPlatform];
  }
}
