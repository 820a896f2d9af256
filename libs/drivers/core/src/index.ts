export { assertAsPlanned, type Observed } from './assert-as-planned.js';
export { CommandVerdict, type CommandResult } from './check-command.js';
export { LogPatterns } from './check-log.js';
export { untilPassed, type LookResult } from './check-loop.js';
export { failure, seen, type Look, type Seen } from './check-look.js';
export { httpLook, tcpLook } from './check-network.js';
export type {
  AtWork,
  CheckDriver,
  DataDisk,
  DataDriver,
  DataEntry,
  DataHolder,
  DataOrigin,
  DataSource,
  DataSpace,
  Driver,
  DriverLoader,
  ImageDriver,
  FileDriver,
  FolderUse,
  HookDriver,
  InstanceDriver,
  LookUpLayers,
  PackedLayer,
  PauseDriver,
  ObserveQuery,
} from './driver.js';
export { printable } from './printable-name.js';
export { DriverRegistry } from './driver-registry.js';
export { likelyBytes, packedBytes } from './packed-layers.js';
export {
  NoRoom,
  othersInTheWay,
  Room,
  type LookUpChains,
  type Needed,
  type RoomLayer,
  type Seat,
  type Wanted,
} from './room.js';
export { SecretStore, type SecretSources } from './secrets.js';
export { SharedLook } from './shared-look.js';
export type { StepContext, TransferState } from './step-context.js';
export {
  AWAY_MS,
  despiteRestarts,
  isAway,
  isWaitedFor,
  type ReachedTarget,
} from './target-return.js';
export { transferMeter } from './transfer-meter.js';
export { TextSecrets } from './text-secrets.js';
export { withHookSecrets } from './hook-secrets.js';
