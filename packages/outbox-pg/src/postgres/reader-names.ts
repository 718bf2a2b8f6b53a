/** The carrier's name in the log's column `transport`. */
export const TRANSPORT = 'postgres'

/** Readers share one table, so each kind of them has names of its own. */
export const serviceReader = (service: string): string => `service/${service}`
export const queueReader = (queue: string): string => `queue/${queue}`
export const processReader = (name: string): string => `process/${name}`
export const relayReader = (transport: string): string => `relay/${transport}`
