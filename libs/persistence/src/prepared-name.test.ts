import { expect, test } from 'vitest';
import { preparedName } from './prepared-name.js';

test('a statement has one name, and no two have the same', () => {
  const name = preparedName('SELECT name FROM things WHERE id = $1');
  expect(name).toMatch(/^[0-9a-f]{32}$/);
  expect(preparedName('SELECT name FROM things WHERE id = $1')).toBe(name);
  expect(preparedName('SELECT name FROM things WHERE id = $2')).not.toBe(name);
});

test.each([
  'SELECT * FROM things WHERE id = $1',
  'select id, * from things where id = $1',
  'SELECT owner.name, things.* FROM owner JOIN things USING (owner) WHERE id = $1',
  'UPDATE things SET name = $1 RETURNING *',
  'INSERT INTO things (id) SELECT * FROM unnest($1::int[])',
])('what asks for all columns has none: %s', (text) => {
  expect(preparedName(text)).toBeUndefined();
});

test('a product and a count are no list of columns', () => {
  expect(preparedName(`SELECT $1 * interval '1 millisecond', count(*) FROM things`)).toBeDefined();
});

test('texts that are made anew each time do not fill the memory', () => {
  const found = Array.from({ length: 600 }, (_, n) => preparedName(`SELECT ${n} WHERE id = $1`));
  expect(found.at(0)).toBeDefined();
  expect(found.at(-1)).toBeUndefined();
  expect(preparedName('SELECT 0 WHERE id = $1')).toBe(found.at(0));
});
