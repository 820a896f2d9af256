export * from './backup-queries.js';
export * from './commands.js';
export * from './define.js';
export * from './permissions.js';
export * from './progress.js';
export * from './queries.js';
export * from './subjects.js';
export * from './mirror-queries.js';
