/**
 * Prints where mongodb-memory-server has a mongod, after downloading it when need be. A process of its own, so that
 * what the download prints and loads stays out of the program that asked.
 */
import { MongoBinary } from 'mongodb-memory-server';

try {
  process.stdout.write(`\n${await MongoBinary.getPath()}\n`);
} catch (error) {
  process.stderr.write(`${(error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ')}\n`);
  process.exitCode = 1;
}
