import { setTimeout as delay } from 'node:timers/promises';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import type { ThirdParty, ThirdPartyTools } from '../third-party.ts';

/** A mail that was received. */
export interface ReceivedMail {
  from: string;
  to: string[];
  mail: Email;
}

/**
 * A mail server that takes everything and delivers nothing. 500: refuses for now (451). late: accepts after a while. lost-answer: has the mail, and
 * breaks the connection off before it says so.
 */
export function openMail({ record, takeFault }: ThirdPartyTools): ThirdParty {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username }, _session, callback) => callback(null, { user: username ?? '' }),
    async onData(stream, { envelope }, callback) {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      const fault = takeFault('500', 'late', 'lost-answer');
      if (fault?.kind === '500') return callback(Object.assign(new Error('Try again later'), { responseCode: 451 }));
      const mail = await PostalMime.parse(Buffer.concat(chunks));
      const to = envelope.rcptTo.map(({ address }) => address);
      const data: ReceivedMail = { from: envelope.mailFrom ? envelope.mailFrom.address : '', to, mail };
      record({ kind: 'mail', summary: `to ${to.join(', ')}: ${mail.subject ?? ''}`, data });
      if (fault) await delay(fault.afterMs, undefined, { ref: false });
      if (fault?.kind === 'lost-answer') return open.forEach((socket) => socket.destroy());
      callback();
    },
  });
  server.on('error', () => undefined);
  const open = new Set<import('node:net').Socket>();
  return {
    connect(socket) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      server.server.emit('connection', socket);
    },
  };
}
