import { expect, it } from 'vitest';
import { parseClusterUrl } from './cluster-url.js';

it.each([
  ['kubernetes://north/shop', { context: 'north', namespace: 'shop', name: 'north' }],
  [
    'kubernetes://arn:aws:eks:eu-central-1:1234:cluster/North/shop',
    {
      context: 'arn:aws:eks:eu-central-1:1234:cluster/North',
      namespace: 'shop',
      name: 'north',
    },
  ],
  [
    'kubernetes://admin@lab/kube-system',
    { context: 'admin@lab', namespace: 'kube-system', name: 'admin-lab' },
  ],
])('%s is a context and a namespace', (url, place) => {
  expect(parseClusterUrl(url)).toEqual(place);
});

it.each([
  'kubernetes://north',
  'kubernetes:///shop',
  'kubernetes://north/',
  'kubernetes://north/A_b',
])('%s is refused, with how it is written', (url) => {
  expect(() => parseClusterUrl(url)).toThrow('is not kubernetes://CONTEXT/NAMESPACE');
});
