import { modelDriver } from '#drivers/model';
import { attempt } from './attempt.js';

// stops, replaces, stops the new and puts the old back, in upgrade after upgrade, until it is killed
const [folder = '', container = '', oldId = '', image = '', imageId = '', from = '0'] =
  process.argv.slice(2);
const { instances } = await modelDriver();
for (let round = Number(from); round < Number(from) + 10_000; round += 1) {
  const upgrade = `upg_${String(round).padStart(26, '0')}`;
  const at = (stepId: string) => attempt(folder, stepId, { upgrade });
  const input = { container, containerId: oldId, keptName: `${container}-kept-${round}` };
  await instances.stop(at('stop'), input);
  await instances.replace(at('replace'), {
    ...input,
    image: { reference: image, id: imageId },
    env: {},
  });
  await instances.stopNew(at('stop-new'), input);
  await instances.restoreOld(at('restore-old'), { ...input, start: true });
  await instances.removeNew(at('remove-new'), input);
}
