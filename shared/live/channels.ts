import type { Redis } from 'ioredis';
import type { LiveEntry } from './subscription.ts';

export interface Listener {
  /** The channel is heard from now on, for the first time or again after a break: read what may have been missed. */
  ready(): void;
  message(entry: LiveEntry): void;
}

/** One listening connection for the whole process: each channel is subscribed once, while anybody here listens. */
export function createChannels(redis: Redis) {
  const channels = new Map<string, { listeners: Set<Listener>; heard: boolean }>();
  // What is subscribed after a break is decided here, so that each listener learns of it.
  redis.options.autoResubscribe = false;

  async function hear(names: string[]): Promise<void> {
    const asked = names.map((name) => channels.get(name));
    try {
      await redis.subscribe(...names);
    } catch {
      return; // The connection is gone; its next `ready` asks again.
    }
    names.forEach((name, index) => {
      const channel = channels.get(name);
      if (!channel || channel !== asked[index]) return;
      channel.heard = true;
      for (const listener of channel.listeners) listener.ready();
    });
  }

  redis.on('ready', () => {
    if (channels.size > 0) void hear([...channels.keys()]);
  });
  redis.on('close', () => {
    for (const channel of channels.values()) channel.heard = false;
  });
  redis.on('message', (name: string, text: string) => {
    const channel = channels.get(name);
    // After a break an announcement may come before `ready`; passed on, it would hide what was missed before it.
    if (!channel?.heard) return;
    const space = text.indexOf(' ');
    const entry: LiveEntry = { cursor: text.slice(0, space), payload: JSON.parse(text.slice(space + 1)) as unknown };
    for (const listener of channel.listeners) listener.message(entry);
  });

  function remove(name: string, listener: Listener): void {
    const channel = channels.get(name);
    if (!channel?.listeners.delete(listener) || channel.listeners.size > 0) return;
    channels.delete(name);
    redis.unsubscribe(name).catch(() => undefined);
  }

  return {
    /** Answers the function that stops listening. */
    add(name: string, listener: Listener): () => void {
      const channel = channels.get(name);
      if (channel) {
        channel.listeners.add(listener);
        if (channel.heard) listener.ready();
      } else {
        channels.set(name, { listeners: new Set([listener]), heard: false });
        void hear([name]);
      }
      return () => remove(name, listener);
    },
    close(): void {
      redis.disconnect();
    },
  };
}
