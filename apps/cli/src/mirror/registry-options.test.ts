import { Command } from 'commander';
import { expect, test } from 'vitest';
import { registryOptions, withWords, wordsOf, type RegistryOptions } from './registry-options.js';

function parsed(...args: readonly string[]): ReturnType<typeof wordsOf> {
  const command = registryOptions(new Command('test'))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  command.parse([...args], { from: 'user' });
  return wordsOf(command.opts<RegistryOptions>());
}

test('each registry is reached as it was said, and limits hold for one or for all', () => {
  const said = parsed(
    ...['--insecure', 'a:5000', '--limit', 'a:5000=20M', '--limit', '1G'],
    ...['--ca', 'b.example=ca.pem', '--cert', 'b.example=client.pem,client.key'],
  );
  expect(said).toEqual({
    bytesPerSecond: 1024 ** 3,
    words: {
      'a:5000': { insecure: true, bytesPerSecond: 20 * 1024 ** 2 },
      'b.example': {
        ca: 'ca.pem',
        clientCertificate: { cert: 'client.pem', key: 'client.key' },
      },
    },
  });
});

test.each([
  ['--limit', 'fast'],
  ['--limit', '=20M'],
  ['--limit', 'a=0'],
  ['--ca', 'ca.pem'],
  ['--cert', 'b.example=client.pem'],
  ['--cert', 'b.example=client.pem,client.key,more'],
])('%s %s is refused', (...args) => {
  expect(() => parsed(...args)).toThrow(/bytes|written/);
});

test('what the command line says of a registry takes nothing away of what a list says of it', () => {
  const list = { a: { ca: 'ca.pem', bytesPerSecond: 5 }, b: { insecure: true } };
  expect(withWords(list, { a: { insecure: true, bytesPerSecond: 7 } })).toEqual({
    a: { ca: 'ca.pem', bytesPerSecond: 7, insecure: true },
    b: { insecure: true },
  });
});
