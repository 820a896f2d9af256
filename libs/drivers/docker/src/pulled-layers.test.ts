import { expect, test } from 'vitest';
import { PulledLayers } from './pulled-layers.js';

test('bytes are those that come: what was there does not count, and unpacking is no second way', () => {
  const layers = new PulledLayers();
  layers.add({ status: 'Pulling from shop/web', id: '2.0' });
  layers.add({ status: 'Already exists', id: 'aaa' });
  layers.add({ status: 'Downloading', id: 'bbb', progressDetail: { current: 10, total: 100 } });
  layers.add({ status: 'Downloading', id: 'ccc', progressDetail: { current: 5, total: 50 } });
  expect([layers.doneBytes, layers.totalBytes]).toEqual([15, 150]);
  layers.add({ status: 'Download complete', id: 'bbb', progressDetail: {} });
  layers.add({ status: 'Extracting', id: 'bbb', progressDetail: { current: 3, total: 100 } });
  expect([layers.doneBytes, layers.totalBytes]).toEqual([105, 150]);
});
