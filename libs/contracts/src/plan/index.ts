export * from './docker-endpoint.js';
export * from './exclusion.js';
export * from './plan.js';
export * from './plan-shape.js';
export * from './step.js';
