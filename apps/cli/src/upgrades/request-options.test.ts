import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addRequestOptions, requestOf, type RequestOptions } from './request-options.js';

const optionsOf = (...words: string[]): RequestOptions =>
  addRequestOptions(new Command('plan')).parse(words, { from: 'user' }).opts<RequestOptions>();
const requestWith = (...words: string[]) =>
  requestOf('prod', 'shop', 'shop-2.0', optionsOf(...words));

describe('what is to be left out', () => {
  it('is a target, or an instance where it has an @, as often as it is said', () => {
    expect(requestWith('--exclude', 'host-b', '--exclude', 'web@host-c').exclude).toEqual([
      { target: 'host-b' },
      { instance: 'web@host-c' },
    ]);
    expect(requestWith().exclude).toBeUndefined();
  });

  it('that cannot be a name is refused before anything is asked', () => {
    expect(() => requestWith('--exclude', 'web@')).toThrow('the request is not valid');
  });
});
