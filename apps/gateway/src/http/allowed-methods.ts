import type { EndpointContract } from './endpoint-contract.js';
import { ENDPOINTS } from './endpoints.js';

const PATTERNS = Object.values<EndpointContract>(ENDPOINTS).map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')}/?$`, 'i'),
}));

/** Methods that a path takes; none: there is no such path. */
export function allowedMethods(path: string): string[] {
  const found = new Set<string>();
  for (const { method, pattern } of PATTERNS) {
    if (!pattern.test(path)) continue;
    found.add(method);
    if (method === 'GET') found.add('HEAD');
  }
  return [...found].sort();
}
