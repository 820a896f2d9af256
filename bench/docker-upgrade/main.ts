import { APPS } from '#contracts';
import { pssMiB } from '../support/memory.js';
import { report, type Case } from '../support/report.js';
import { oneContainer } from './one-container.js';
import { Stage } from './stage.js';
import { twentyContainers } from './twenty-containers.js';

// The same upgrades by Liftlock and by a shell script of the same commands, in turn.

const MEMORY_BAR_MIB = 1.1 * 1024;

const stage = await Stage.open();
let code = 1;
try {
  const atRest = memoryAtRest(stage);
  code = report([...(await oneContainer(stage)), atRest, ...(await twentyContainers(stage))]);
} finally {
  await stage.close();
}
process.exit(code);

function memoryAtRest({ fleet }: Stage): Case {
  const value = pssMiB([
    fleet.postgres.pid,
    fleet.nats.pid,
    fleet.redis.pid,
    ...APPS.map((app) => fleet.service(app).pid),
  ]);
  return {
    bench: 'docker-upgrade',
    case: 'memory of the fleet at rest (PSS)',
    value,
    unit: 'MiB',
    against: 'nothing',
    ratio: null,
    bar: MEMORY_BAR_MIB,
    holds: value <= MEMORY_BAR_MIB,
  };
}
