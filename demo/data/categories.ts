import type { Category } from './types.ts';

interface Branch {
  name: string;
  description: string;
  children?: Record<string, Branch>;
}

const leaf = (name: string, description: string): Branch => ({ name, description });

const tree = {
  'food-and-groceries': {
    name: 'Food & groceries',
    description: 'What a Lusaka household cooks, from the mealie meal bag to the relish beside it.',
    children: {
      staples: {
        name: 'Staples',
        description: 'The dry store: meal, grain, pulses, oil and tea.',
        children: {
          'mealie-meal': leaf('Mealie meal & flours', 'For nshima and porridge: maize, millet, cassava, and wheat for baking.'),
          'rice-beans-and-nuts': leaf(
            'Rice, beans & groundnuts',
            'Zambian rice by its district, beans by the bag and groundnuts raw or pounded.',
          ),
          pantry: leaf('Oil, sugar, tea & pantry', 'Cooking oil, sugar, salt, tea, milk and what is spread on bread.'),
        },
      },
      'fresh-produce': {
        name: 'Fresh produce',
        description: 'Picked around Lusaka, Chongwe and Mkushi and sold within two days.',
        children: {
          vegetables: leaf('Vegetables', 'Leafy relish by the bundle, tomatoes and onions by the kilo or the box.'),
          fruit: leaf('Fruit', 'Garden and wild fruit as the seasons bring it.'),
        },
      },
      'fish-and-meat': {
        name: 'Fish & meat',
        description: 'From the lakes, the rivers and the block.',
        children: {
          'dried-fish': leaf('Kapenta & dried fish', 'Sun-dried and smoked fish that keeps without a fridge.'),
          'fresh-meat-and-fish': leaf('Fresh meat, fish & eggs', 'Cut or landed this week and kept cold until it leaves the shop.'),
        },
      },
    },
  },
  'clothing-and-textiles': {
    name: 'Clothing & textiles',
    description: 'Cloth by the metre, tailored wear and everything for the school gate.',
    children: {
      chitenge: {
        name: 'Chitenge',
        description: 'Printed cotton, by the piece or sewn.',
        children: {
          'chitenge-fabric': leaf('Chitenge fabric', 'Wax prints and java prints in two- and six-yard pieces.'),
          'chitenge-clothing': leaf('Chitenge clothing', 'Dresses, shirts and bags cut and sewn in Kamwala.'),
        },
      },
      'school-wear': {
        name: 'School wear',
        description: 'For government and private schools, in the sizes children really are.',
        children: {
          uniforms: leaf('Uniforms', 'Shirts, tunics, trousers, jerseys and ties.'),
          'shoes-and-bags': leaf('School shoes & bags', 'Leather shoes, canvas plimsolls, socks and satchels.'),
        },
      },
    },
  },
  'books-and-stationery': leaf('Books & stationery', 'Exercise books, pens, paper and instruments for school and office.'),
  'phones-and-power': {
    name: 'Phones & power',
    description: 'Staying in touch, and keeping the lights on when the grid does not.',
    children: {
      phones: {
        name: 'Phones',
        description: 'Handsets and what keeps them alive.',
        children: {
          handsets: leaf('Handsets', 'Button phones and smartphones, unlocked for every Zambian network.'),
          'phone-accessories': leaf('Chargers & accessories', 'Chargers, cables, earphones, covers and memory.'),
        },
      },
      solar: {
        name: 'Solar',
        description: 'Made for load-shedding and for houses off the line.',
        children: {
          'solar-lighting': leaf('Solar lighting', 'Lamps, torches and home kits that charge in a day.'),
          'panels-and-batteries': leaf('Panels, batteries & inverters', 'Parts for a system that grows with the house.'),
        },
      },
    },
  },
  'building-and-hardware': {
    name: 'Building & hardware',
    description: 'From the slab to the ridge cap.',
    children: {
      'roofing-and-cement': leaf('Roofing, cement & steel', 'Sheets, ridges, cement, bars and timber.'),
      'plumbing-and-paint': leaf('Plumbing & paint', 'Pipes, taps, tanks, paint and brushes.'),
      tools: leaf('Tools & fasteners', 'Hand tools, nails, locks and hinges.'),
    },
  },
  'home-and-kitchen': {
    name: 'Home & kitchen',
    description: 'For the kitchen, the yard and the front room.',
    children: {
      kitchenware: leaf('Kitchenware & storage', 'Pots, plates, knives and the mwiko, and the buckets and jerrycans beside them.'),
      'stoves-and-fuel': leaf('Braziers, stoves & fuel', 'Mbaula, clean cook stoves, gas and charcoal.'),
      crafts: leaf('Crafts', 'Baskets, carvings, copper and beadwork by Zambian hands.'),
    },
  },
  'farm-and-garden': {
    name: 'Farm & garden',
    description: 'For the field, the back garden and the chicken run.',
    children: {
      'seed-and-fertiliser': leaf('Seed & fertiliser', 'Field and vegetable seed, basal and top dressing, sprays.'),
      'poultry-and-livestock': leaf('Poultry & livestock', 'Chicks, feed, drinkers and medicine.'),
    },
  },
  'beauty-and-baby': {
    name: 'Beauty & baby',
    description: 'Skin, hair and the smallest member of the family.',
    children: {
      'skin-and-hair': leaf('Skin & hair', 'Lotions, soaps, oils, braids and relaxers.'),
      'baby-care': leaf('Baby care', 'Nappies, wraps, bottles and baths.'),
    },
  },
} satisfies Record<string, Branch>;

type Slugs<T> = {
  [K in keyof T & string]: K | (T[K] extends { children: infer C } ? Slugs<C> : never);
}[keyof T & string];

/** A slug of the tree, so that a mistyped category does not compile. */
export type CategorySlug = Slugs<typeof tree>;

/** Parents before their children, so that they can be created in this order. */
export const categories: Category[] = flatten(tree, null);

function flatten(level: Record<string, Branch>, parent: string | null): Category[] {
  return Object.entries(level).flatMap(([slug, { name, description, children }], order) => [
    { slug, name, parent, order, description },
    ...flatten(children ?? {}, slug),
  ]);
}
