export * from './pages.js';
export * from './problem.js';
export * from './roles.js';
export * from './tokens.js';
