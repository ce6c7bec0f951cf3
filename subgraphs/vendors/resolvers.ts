import { applicationResolvers } from './resolvers/application.ts';
import { memberResolvers } from './resolvers/members.ts';
import { vendorResolvers } from './resolvers/vendor.ts';

export const resolvers = {
  ...vendorResolvers,
  ...memberResolvers,
  ...applicationResolvers,
  Query: { ...vendorResolvers.Query, ...memberResolvers.Query, ...applicationResolvers.Query },
  Mutation: { ...vendorResolvers.Mutation, ...memberResolvers.Mutation, ...applicationResolvers.Mutation },
};
