/** Runs `work` while no other process of this workspace holds the lock of that name; a dead holder's lock is taken over. */
export function withLock<T>(name: string, work: () => T | Promise<T>): Promise<T>
