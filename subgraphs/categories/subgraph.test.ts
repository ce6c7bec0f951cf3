import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { open, viewer, type Data, type TestApp } from '#shared/testing/open.ts';
import { findCategories, findSubtree } from './contract.ts';
import type { Ctx } from './loaders.ts';
import { subgraph } from './subgraph.ts';

const FIELDS = 'id name slug order version parent { id } ancestors { slug }';
const create = `mutation ($input: CreateCategoryInput!) { createCategory(input: $input) { category { ${FIELDS} } userErrors { code path } } }`;
const update = `mutation ($input: UpdateCategoryInput!) { updateCategory(input: $input) { category { ${FIELDS} } userErrors { code path ... on StaleVersionError { currentVersion } } } }`;
const move = `mutation ($input: MoveCategoryInput!) { moveCategory(input: $input) { category { ${FIELDS} } userErrors { code path } } }`;
const remove = 'mutation ($input: DeleteCategoryInput!) { deleteCategory(input: $input) { deletedId userErrors { code path } } }';

const admin = viewer('usr_admin', ['admin']);
let app: TestApp;
beforeAll(async () => {
  app = await open(subgraph, { viewer: admin });
});
afterAll(() => app.close());

const run = async (mutation: string, input: object): Promise<Data> => Object.values((await app.ask(mutation, { input })).data)[0];
const made = async (name: string, parentId?: string, rest: object = {}): Promise<Data> => {
  const { category, userErrors } = await run(create, { name, parentId, ...rest });
  expect(userErrors).toEqual([]);
  return category;
};

describe('createCategory', () => {
  test('puts a category at the end of its siblings, with a slug of its name, and says so', async () => {
    const food = await made('Food & Drink');
    const maize = await made('Maize', food.id);
    const rice = await made('Rice', food.id);

    expect(food).toMatchObject({ slug: 'food-drink', parent: null, version: 1 });
    expect([maize.order, rice.order]).toEqual([0, 1]);
    expect(rice).toMatchObject({ parent: { id: food.id }, ancestors: [{ slug: 'food-drink' }] });
    expect((await app.said('Category.Created')).at(-1)!.data).toMatchObject({ categoryId: rice.id, parentId: food.id });
  });

  test('numbers a slug it makes when a sibling has it, and says nothing of a slug that was not given', async () => {
    const shelf = await made('Numbered');

    const slugs = [];
    for (const name of ['水産物', '魚', '魚', 'Tea', 'Téa']) slugs.push((await made(name, shelf.id)).slug);
    const together = await Promise.all(Array.from({ length: 4 }, () => made('Coffee', shelf.id)));

    expect(slugs).toEqual(['category', 'category-2', 'category-3', 'tea', 'tea-2']);
    expect(new Set(together.map(({ slug }) => slug))).toEqual(new Set(['coffee', 'coffee-2', 'coffee-3', 'coffee-4']));
    expect((await run(create, { name: 'Tea', slug: 'tea', parentId: shelf.id })).userErrors).toEqual([
      { code: 'SLUG_TAKEN', path: ['input', 'slug'] },
    ]);
  });

  test('leaves accents out of the slug', async () => {
    expect((await made('Café Crème')).slug).toBe('cafe-creme');
  });

  test.each([
    ['an empty name', { name: '  ' }, ['input', 'name']],
    ['a name of 10,000 characters', { name: 'x'.repeat(10_000) }, ['input', 'name']],
    ['a NUL in the name', { name: 'a\u0000' }, ['input', 'name']],
    ['a lone surrogate', { name: 'a\uD800' }, ['input', 'name']],
    ['a slug with capitals', { name: 'Tea', slug: 'Tea' }, ['input', 'slug']],
    ['a negative order', { name: 'Tea', order: -1 }, ['input', 'order']],
    ['a picture of this machine', { name: 'Tea', image: 'http://127.1/x.png' }, ['input', 'image']],
    ['a picture with a password', { name: 'Tea', image: 'https://a:b@example.com/x.png' }, ['input', 'image']],
  ])('refuses %s', async (_case, input, path) => {
    expect(await run(create, input)).toEqual({ category: null, userErrors: [{ code: 'INVALID', path }] });
  });

  test('refuses a parent that does not exist', async () => {
    expect((await run(create, { name: 'Orphan', parentId: 'cat_nowhere' })).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'parentId'] },
    ]);
  });

  test('refuses an object where a text belongs', async () => {
    const { errors } = await app.ask(create, { input: { name: { $ne: null } } });

    expect(errors![0]!.extensions['code']).toBe('BAD_USER_INPUT');
  });

  test('refuses a slug that a sibling has, but not one that a cousin has, even of many at once', async () => {
    const left = await made('Left');
    const right = await made('Right');
    const answers = await Promise.all(Array.from({ length: 8 }, () => run(create, { name: 'Twin', slug: 'twin', parentId: left.id })));
    const cousin = await made('Twin', right.id);

    expect(answers.filter(({ category }) => category)).toHaveLength(1);
    for (const { userErrors } of answers.filter(({ category }) => !category))
      expect(userErrors).toEqual([{ code: 'SLUG_TAKEN', path: ['input', 'slug'] }]);
    expect(cousin.slug).toBe('twin');
  });
});

describe('updateCategory', () => {
  test('changes what is given and leaves the rest', async () => {
    const before = await made('Sweets', undefined, { description: 'Sugar.' });

    const { category } = await run(update, { id: before.id, expectedVersion: 1, name: 'Sweet things' });

    expect(category).toMatchObject({ name: 'Sweet things', slug: 'sweets', version: 2 });
    expect((await app.said('Category.Updated')).at(-1)!.data).toMatchObject({ categoryId: before.id, changes: ['name'] });
  });

  test('lets one of two editors win and tells the other the version', async () => {
    const { id } = await made('Contested');

    const answers = await Promise.all(['a', 'b'].map((name) => run(update, { id, expectedVersion: 1, name })));

    const [loser] = answers.filter(({ category }) => !category);
    expect(answers.filter(({ category }) => category)).toHaveLength(1);
    expect(loser.userErrors).toEqual([{ code: 'STALE_VERSION', path: ['input', 'expectedVersion'], currentVersion: 2 }]);
  });

  test('refuses a category that does not exist', async () => {
    expect((await run(update, { id: 'cat_nowhere', expectedVersion: 1 })).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'id'] },
    ]);
  });
});

describe('moveCategory', () => {
  test('takes everything below along', async () => {
    const [house, garden] = [await made('House'), await made('Garden')];
    const tools = await made('Tools', house.id);
    const hoes = await made('Hoes', tools.id);

    await run(move, { id: tools.id, newParentId: garden.id });

    const { data } = await app.ask(`query ($id: ID!) { category(id: $id) { ${FIELDS} } }`, { id: hoes.id });
    expect(data.category.ancestors).toEqual([{ slug: 'garden' }, { slug: 'tools' }]);
    expect(new Set((await app.call(findSubtree, { id: garden.id })).ids)).toEqual(new Set([garden.id, tools.id, hoes.id]));
    expect((await app.call(findSubtree, { id: house.id })).ids).toEqual([house.id]);
  });

  test('stays under its parent when none is given, and goes to the top for null only', async () => {
    const shelf = await made('Stays');
    const [first, second] = [await made('First', shelf.id), await made('Second', shelf.id)];

    const untouched = await run(move, { id: second.id });
    const reordered = await run(move, { id: second.id, order: 7 });
    const top = await run(move, { id: first.id, newParentId: null });

    expect(untouched.category).toMatchObject({ parent: { id: shelf.id }, order: second.order });
    expect(reordered.category).toMatchObject({ parent: { id: shelf.id }, ancestors: [{ slug: 'stays' }], order: 7 });
    expect(top.category).toMatchObject({ parent: null, ancestors: [] });
  });

  test('refuses a place where a sibling has its slug, at the field that named the place', async () => {
    const [one, other] = [await made('Place one'), await made('Place two')];
    const [here] = [await made('Same', one.id), await made('Same', other.id)];

    expect((await run(move, { id: here.id, newParentId: other.id })).userErrors).toEqual([
      { code: 'SLUG_TAKEN', path: ['input', 'newParentId'] },
    ]);
  });

  test('refuses a place below itself', async () => {
    const outer = await made('Outer');
    const inner = await made('Inner', outer.id);

    for (const newParentId of [outer.id, inner.id]) {
      expect((await run(move, { id: outer.id, newParentId })).userErrors).toEqual([
        { code: 'CATEGORY_CYCLE', path: ['input', 'newParentId'] },
      ]);
    }
  });

  test('closes no circle when two are moved below each other at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [a, b] = [await made(`Left ${round}`), await made(`Right ${round}`)];

      const answers = await Promise.all([run(move, { id: a.id, newParentId: b.id }), run(move, { id: b.id, newParentId: a.id })]);

      expect(answers.filter(({ category }) => category)).toHaveLength(1);
    }
  });
});

describe('deleteCategory', () => {
  test('removes a leaf once, and a second time without complaint', async () => {
    const { id } = await made('Short-lived');

    expect(await run(remove, { id })).toEqual({ deletedId: id, userErrors: [] });
    expect(await run(remove, { id })).toEqual({ deletedId: id, userErrors: [] });
    expect((await app.said('Category.Deleted')).filter(({ data }) => data.categoryId === id)).toHaveLength(1);
  });

  test('refuses a category with children', async () => {
    const parent = await made('Parent');
    await made('Child', parent.id);

    expect((await run(remove, { id: parent.id })).userErrors).toEqual([{ code: 'CATEGORY_NOT_EMPTY', path: ['input', 'id'] }]);
  });
});

describe('reading', () => {
  test('gives the tree in its order with one query for each level', async () => {
    const root = await made('Shelves');
    for (const name of ['C', 'A', 'B']) await made(name, root.id);

    const { data } = await app.ask('{ categoryTree { id children { name children { id } } } }', {}, { as: null });

    expect(data.categoryTree.find(({ id }: Data) => id === root.id).children.map(({ name }: Data) => name)).toEqual(['C', 'A', 'B']);
  });

  test('finds a category by its path, and nothing by a wrong one', async () => {
    const top = await made('Top');
    const low = await made('Low', top.id);
    const ask = async (path: string) =>
      (await app.ask('query ($path: String!) { categoryByPath(path: $path) { id } }', { path }, { as: null })).data.categoryByPath;

    expect(await ask('top/low')).toEqual({ id: low.id });
    expect(await ask('low')).toBeNull();
    expect(await ask('top/low/lower')).toBeNull();
    expect(await ask('')).toBeNull();
  });

  test('resolves many entities with one query, in their order, and null for what is gone', async () => {
    const [one, two] = [await made('One'), await made('Two')];
    const ids = [two.id, 'cat_gone', one.id];

    const { data } = await app.entities(
      ids.map((id) => ({ __typename: 'Category', id })),
      '... on Category { name }',
      { as: null },
    );

    expect(data._entities.map((entity: Data) => entity?.name ?? null)).toEqual(['Two', null, 'One']);
  });

  test('answers other subgraphs about many ids at once', async () => {
    const { id } = await made('Asked for');

    const { categories } = await app.call(findCategories, { ids: [id, 'cat_gone'] });

    expect(categories).toEqual([{ id, name: 'Asked for', slug: 'asked-for', ancestorIds: [] }]);
  });
});

test.each([
  ['nobody', null, 'UNAUTHENTICATED'],
  ['a customer', viewer('usr_b'), 'FORBIDDEN'],
  ['a vendor', viewer('usr_v', ['vendor']), 'FORBIDDEN'],
])('lets %s change nothing', async (_who, as, code) => {
  const before = await (app.context() as Ctx).models.Category.countDocuments();
  const inputs: [string, object][] = [
    [create, { name: 'Mine' }],
    [update, { id: 'cat_x', expectedVersion: 1 }],
    [move, { id: 'cat_x' }],
    [remove, { id: 'cat_x' }],
  ];

  for (const [mutation, input] of inputs) {
    const { errors } = await app.ask(mutation, { input }, { as });
    expect(errors![0]!.extensions['code']).toBe(code);
  }
  expect(await (app.context() as Ctx).models.Category.countDocuments()).toBe(before);
});
