import { allow, hasRole } from '#shared/kit/permissions.ts';

const isAdmin = hasRole('admin');

export const permissions = {
  Query: {
    setting: isAdmin,
    settings: isAdmin,
    flag: isAdmin,
    flags: isAdmin,
    segments: isAdmin,
    staleFlags: isAdmin,
    evaluateFlags: allow,
  },
  Mutation: {
    updateSetting: isAdmin,
    resetSetting: isAdmin,
    rollbackSetting: isAdmin,
    updateFlag: isAdmin,
    rollbackFlag: isAdmin,
    saveSegment: isAdmin,
    deleteSegment: isAdmin,
  },
  Subscription: { settingChanged: isAdmin, flagChanged: isAdmin },
  Setting: { '*': isAdmin },
  FeatureFlag: { '*': isAdmin },
};
