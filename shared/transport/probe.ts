import { get as getOverHttp } from 'node:http';
import { get as getOverHttps } from 'node:https';
import { connect } from 'node:net';

/* Probes use connections of their own: those of a pool may all be waiting for slow answers. */

const PATIENCE_MS = 1_000;

/** True when there is an answer to GET, whatever it says: so the process lives. */
export const answersAt = (url: URL): Promise<boolean> =>
  new Promise((resolve) => {
    const get = url.protocol === 'https:' ? getOverHttps : getOverHttp;
    const request = get(url, { agent: false, timeout: PATIENCE_MS }, (response) => {
      response.destroy();
      resolve(true);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
  });

/** True when somebody accepts connections there. */
export const acceptsAt = ({ protocol, hostname, port }: URL): Promise<boolean> =>
  new Promise((resolve) => {
    const usual = protocol === 'https:' ? 443 : 80;
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || usual), timeout: PATIENCE_MS });
    const settle = (accepts: boolean) => (): void => {
      socket.destroy();
      resolve(accepts);
    };
    socket.on('connect', settle(true));
    socket.on('timeout', settle(false));
    socket.on('error', settle(false));
  });
