const federation = (...directives: string[]): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: [${directives.map((name) => `"@${name}"`).join(', ')}])`;

/** The subgraphs: three serve the small operation, four the heavy one. */
export const typeDefs = {
  orders: `
    ${federation('key', 'shareable')}
    type Query { order(id: ID!): Order }
    type Order @key(fields: "id") {
      id: ID!
      status: String!
      total: Int!
      createdAt: String!
      items: [OrderItem!]!
      buyer: Customer
    }
    type OrderItem { quantity: Int! price: Int! product: Product! }
    type Product @key(fields: "id") { id: ID! name: String! @shareable }
    type Customer @key(fields: "id", resolvable: false) { id: ID! }
  `,
  tracking: `
    ${federation('key')}
    type Order @key(fields: "id") { id: ID! delivery: Delivery }
    type Delivery { latitude: Float! longitude: Float! expectedAt: String! status: String! }
  `,
  accounts: `
    ${federation('key')}
    type Query { customers(first: Int!): [Customer!]! }
    type Customer @key(fields: "id") { id: ID! name: String! username: String! }
  `,
  catalog: `
    ${federation('key', 'shareable')}
    type Query { topProducts(first: Int!): [Product!]! }
    type Product @key(fields: "id") { id: ID! name: String! @shareable price: Int! weight: Int! }
  `,
  stock: `
    ${federation('key', 'external', 'requires')}
    type Product @key(fields: "id") {
      id: ID!
      price: Int! @external
      weight: Int! @external
      inStock: Boolean
      shippingEstimate: Int @requires(fields: "price weight")
    }
  `,
  reviews: `
    ${federation('key')}
    type Review { id: ID! text: String! author: Customer product: Product }
    type Customer @key(fields: "id") { id: ID! reviews: [Review!] }
    type Product @key(fields: "id") { id: ID! reviews: [Review!] }
  `,
} as const;

export type SubgraphName = keyof typeof typeDefs;
export const subgraphNames = Object.keys(typeDefs) as SubgraphName[];

/** The same graph as one schema without federation. */
export const monolithTypeDefs = `
  type Query { order(id: ID!): Order customers(first: Int!): [Customer!]! topProducts(first: Int!): [Product!]! }
  type Order { id: ID! status: String! total: Int! createdAt: String! items: [OrderItem!]! buyer: Customer delivery: Delivery }
  type OrderItem { quantity: Int! price: Int! product: Product! }
  type Delivery { latitude: Float! longitude: Float! expectedAt: String! status: String! }
  type Customer { id: ID! name: String! username: String! reviews: [Review!] }
  type Product { id: ID! name: String! price: Int! weight: Int! inStock: Boolean shippingEstimate: Int reviews: [Review!] }
  type Review { id: ID! text: String! author: Customer product: Product }
`;
