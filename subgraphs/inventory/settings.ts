import { z } from 'zod';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';

export const settings = defineSettings('inventory', {
  reservationSeconds: setting(z.int().min(30).max(86_400), {
    default: 600,
    description: 'Seconds for which goods are held while an order is placed. Holds that have begun keep their time.',
  }),
  openReservations: setting(z.int().min(1).max(1_000), {
    default: 20,
    description: 'Holds of one buyer at the same time; more is hoarding.',
  }),
  warehouses: setting(z.int().min(1).max(1_000), { default: 50, per: 'vendor', description: 'Warehouses of one vendor.' }),
});
