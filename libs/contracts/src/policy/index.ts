export * from './approvals.js';
export * from './emergency.js';
export * from './environment-policy.js';
export * from './opening.js';
export * from './promotion.js';
export * from './start-conditions.js';
export { freeze, maintenanceWindow, type Freeze, type MaintenanceWindow } from './windows.js';
