import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * What takes minutes, so that nothing of it is left over alone at the end of its project. Those that kill processes all the time do not begin
 * together.
 */
const LONG = [
  ...['libs/drivers/kubernetes/test/data.medium', 'apps/backup/test/large-trees.medium'],
  'libs/drivers/kubernetes/test/kill.medium',
  ...['test/chaos/lightwave', 'test/e2e/isecl', 'test/e2e/compose', 'test/chaos/isecl'],
  'test/chaos/kill-every-service',
];

/** As ever, but that of a project's files the long ones come first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const group = (file: TestSpecification): number => file.project.config.sequence.groupOrder;
    const place = ({ moduleId }: TestSpecification): number => {
      const found = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return found < 0 ? LONG.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => group(a) - group(b) || place(a) - place(b));
  }
}
