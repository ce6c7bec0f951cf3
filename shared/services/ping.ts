import { connect } from 'node:net';

const PATIENCE_MS = 2_000;

/** True when something accepts connections there. */
export function accepts(host: string, port: number): Promise<boolean> {
  return exchange(host, port, undefined, () => true, false);
}

/** True when a Redis there answers commands (it has loaded its data). */
export function pingRedis(port: number): Promise<boolean> {
  return exchange('127.0.0.1', port, Buffer.from('PING\r\n'), (answer) => answer.toString('latin1') === '+PONG\r\n', false);
}

/** Whether a MongoDB there takes writes. Spoken by hand, because loading a driver costs more than the whole start. */
export function pingMongodb(port: number): Promise<MongodbState> {
  return exchange<MongodbState>('127.0.0.1', port, HELLO, stateIn, 'away');
}

type MongodbState = 'writable' | 'no replica set' | 'not yet' | 'away';

/** OP_MSG with the one document `{ hello: 1, $db: "admin" }`. */
const HELLO = (() => {
  const body = Buffer.concat([
    Buffer.from([0x10]),
    Buffer.from('hello\0'),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from([0x02]),
    Buffer.from('$db\0'),
    Buffer.from([6, 0, 0, 0]),
    Buffer.from('admin\0'),
    Buffer.from([0]),
  ]);
  const message = Buffer.alloc(16 + 4 + 1 + 4);
  message.writeInt32LE(message.length + body.length, 0);
  message.writeInt32LE(2013, 12);
  message.writeInt32LE(body.length + 4, 21);
  return Buffer.concat([message, body]);
})();

const isTrue = (field: string) => Buffer.concat([Buffer.from([0x08]), Buffer.from(`${field}\0`), Buffer.from([1])]);
const WRITABLE = isTrue('isWritablePrimary');
/** What a member says that was never told which set it belongs to, or whose set does not know its address. */
const NO_SET = isTrue('isreplicaset');

function stateIn(answer: Buffer): MongodbState | undefined {
  const isWhole = answer.length >= 4 && answer.length >= answer.readInt32LE(0);
  if (!isWhole) return undefined;
  if (answer.includes(WRITABLE)) return 'writable';
  return answer.includes(NO_SET) ? 'no replica set' : 'not yet';
}

/** Sends one message and judges what comes back, until the judge has decided. Without a message, connecting decides. */
function exchange<T>(
  host: string,
  port: number,
  message: Buffer | undefined,
  judge: (answer: Buffer) => T | undefined,
  failed: T,
): Promise<T> {
  return new Promise((resolve) => {
    let answer: Buffer = Buffer.alloc(0);
    const socket = connect({ host, port });
    const settle = (verdict: T | undefined) => {
      if (verdict === undefined) return;
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(PATIENCE_MS, () => settle(failed));
    socket.on('error', () => settle(failed));
    socket.on('close', () => settle(failed));
    socket.on('connect', () => (message ? socket.write(message) : settle(judge(answer))));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      settle(judge(answer));
    });
  });
}
