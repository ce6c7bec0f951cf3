import type { Redis } from 'ioredis';

type Settings = [maxLength: number, seenSeconds: number, topicSeconds: number];

export interface ScriptedRedis extends Redis {
  livePublish(stream: string, seen: string, mark: string, eventId: string, payload: string, ...settings: Settings): Promise<string | null>;
  liveRestore(
    stream: string,
    seen: string,
    mark: string,
    eventId: string,
    payload: string,
    ...more: [...Settings, cursor: string]
  ): Promise<-1 | 0 | 1>;
  /** Null: what follows is not kept any more. 0: it cannot be told yet, since Redis is being filled again. */
  liveRead(
    stream: string,
    mark: string,
    last: string,
    count: number,
    maxLength: number,
  ): Promise<[cursor: string, fields: ['p', string]][] | null | 0>;
}

// The mark is looked at in the same moment: after a wipe nothing new may come before what was there.
// Redis never gives a stream an id below its last one, so cursors grow even when the clock steps back.
export const PUBLISH = {
  numberOfKeys: 3,
  lua: `
    if KEYS[3] ~= '' and redis.call('EXISTS', KEYS[3]) == 0 then return false end
    if ARGV[1] ~= '' then
      local known = redis.call('GET', KEYS[2])
      if known then return known end
    end
    local cursor = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'p', ARGV[2])
    if ARGV[1] ~= '' then redis.call('SET', KEYS[2], cursor, 'EX', ARGV[4]) end
    redis.call('EXPIRE', KEYS[1], ARGV[5])
    redis.call('PUBLISH', KEYS[1], cursor .. ' ' .. ARGV[2])
    return cursor`,
};

export const RESTORE = {
  numberOfKeys: 3,
  lua: `
    if KEYS[3] ~= '' and redis.call('EXISTS', KEYS[3]) == 0 then return -1 end
    if ARGV[1] ~= '' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
    local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], ARGV[6], 'p', ARGV[2])
    if type(added) == 'table' and added.err then
      if string.find(added.err, 'equal or smaller', 1, true) then return 0 end
      return added
    end
    if ARGV[1] ~= '' then redis.call('SET', KEYS[2], ARGV[6], 'EX', ARGV[4]) end
    redis.call('EXPIRE', KEYS[1], ARGV[5])
    return 1`,
};

// A page and the proof that nothing is missing before it must come from one moment. 0-0 stands before the first entry
// ever, which can only be known to be there while nothing was trimmed. Without the mark Redis was wiped, and what is not
// there may still come back.
export const READ = {
  numberOfKeys: 2,
  lua: `
    if ARGV[1] == '0-0' then
      if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then return false end
    elseif #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
      if KEYS[2] ~= '' and redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
      return false
    end
    return redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])`,
};
