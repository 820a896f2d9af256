export * from './event-data.js';
export * from './events.js';
export * from './request.js';
export * from './states.js';
export * from './transfers.js';
