import { handleCommand } from '#shared/kit/define-command.ts';
import { onEvent } from '#shared/kit/define-event.ts';
import { handleJob, scheduledJob } from '#shared/kit/define-job.ts';
import { productDeleted } from '../catalog/contract.ts';
import { discontinueProduct, recordAlert } from './actions/alerts.ts';
import { expireReservations } from './actions/expire.ts';
import { reserve } from './actions/hold.ts';
import { findAvailable } from './actions/reading.ts';
import { commit, extend, release, restock } from './actions/reservations.ts';
import {
  commitReservation,
  extendReservation,
  findStock,
  lowStockAlert,
  releaseReservation,
  reserveStock,
  restockReservation,
} from './contract.ts';

const EXPIRE_EVERY_MS = 5_000;

export const handlers = [
  handleCommand(reserveStock, reserve),
  handleCommand(extendReservation, extend),
  handleCommand(commitReservation, commit),
  handleCommand(releaseReservation, release),
  handleCommand(restockReservation, restock),
  handleCommand(findStock, findAvailable),
  onEvent(productDeleted, discontinueProduct),
  handleJob(lowStockAlert, recordAlert),
  scheduledJob('expire-reservations', { every: EXPIRE_EVERY_MS }, expireReservations),
];
