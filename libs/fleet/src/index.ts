export {
  attachPrivateEngine,
  ensureDockerEngine,
  findDockerEngine,
  startPrivateEngine,
  type DockerEngine,
  type PrivateEngineOptions,
} from './docker-engine.js';
export { findCompose, type ComposeClient } from './compose-client.js';
export {
  ensureInstalled,
  install,
  type InstallOptions,
  type Requirement,
} from './ensure-installed.js';
export { findPostgresFolder, findProgram } from './find-program.js';
export {
  configuration as natsConfiguration,
  startNats,
  type NatsOptions,
  type NatsServer,
} from './nats-server.js';
export { newPassword, newPasswords } from './passwords.js';
export { freePort, isPortFree, takeShareOfPorts } from './ports.js';
export { startPostgres, type PostgresOptions } from './postgres-server.js';
export {
  endProcess,
  identify,
  isAlive,
  signalProcess,
  type ProcessIdentity,
} from './process-identity.js';
export {
  DATABASE,
  grantDatabase,
  provisionDatabase,
  roleOf,
  serviceDatabaseUrl,
  withClient,
  type ProvisionOptions,
} from './provision-database.js';
export { startRedis, type RedisOptions } from './redis-server.js';
export type { RunningServer, StartOptions } from './server-process.js';
export { psRows, runDown, runPs, runUp, type CommandOptions } from './commands.js';
export { EmbeddedFleet } from './embedded-fleet.js';
export {
  DEFAULT_PORT,
  ensureFleet,
  readFleet,
  type EnsuredFleet,
  type EnsureFleetOptions,
  type FleetInfo,
} from './ensure-fleet.js';
export type { FleetOptions } from './fleet-start.js';
export { readState, type ServerName } from './fleet-state.js';
export type { ProcessStatus, StatusRow } from './fleet-status.js';
export { takeLock, type FleetLock } from './fleet-lock.js';
export { interruptible, Interrupted } from './interrupt.js';
export { fleetFolder, rootFolder } from './root-folder.js';
export { startService, type ServiceOptions, type ServiceProcess } from './service-process.js';
export { runTests, type TestOptions } from './run-tests.js';
