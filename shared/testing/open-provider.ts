import { Redis } from 'ioredis';
import type { EnvSource } from '../base/env.ts';
import { createLog } from '../base/log.ts';
import { openProvider, type Provider } from '../providers/define-provider.ts';

/** A provider by itself, outside of a subgraph. Redis is connected when it is first used. */
export function openProviderAlone<P>(provider: Provider<P>, environment: EnvSource): { made: P; close(): Promise<void> } {
  const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379', { lazyConnect: true });
  const log = createLog(provider.name);
  const opened = openProvider(provider, { environment, log, redis, redisPrefix: 'providers', now: () => new Date() });
  return {
    made: opened.made,
    async close() {
      await opened.close();
      redis.disconnect();
    },
  };
}
