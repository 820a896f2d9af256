export type {
  CheckDriver,
  DataDisk,
  DataDriver,
  DataEntry,
  DataOrigin,
  DataSource,
  DataSpace,
  Driver,
  DriverLoader,
  ImageDriver,
  FileDriver,
  HookDriver,
  InstanceDriver,
  LookUpLayers,
  PackedLayer,
  ObserveQuery,
} from './driver.js';
export { DriverRegistry } from './driver-registry.js';
export { SecretStore, type SecretSources } from './secrets.js';
export type { StepContext, TransferState } from './step-context.js';
export { transferMeter } from './transfer-meter.js';
