export { freshDatabase, type FreshDatabase } from './database.js';
export { startDocker, type TestEngine } from './docker.js';
export { freshFleet, type FreshFleet } from './fleet.js';
export {
  freshNats,
  freshPostgres,
  freshRedis,
  type FreshNats,
  type FreshServer,
} from './fresh-servers.js';
export type { SharedServers } from './shared-servers.js';
