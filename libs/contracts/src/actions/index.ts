export * from './catalogue.js';
export * from './checks.js';
export { commandWork, type CommandWork } from './command-work.js';
export * from './files.js';
export * from './hooks.js';
export * from './inputs.js';
export * from './made-by.js';
export * from './mirror.js';
export * from './object-works.js';
