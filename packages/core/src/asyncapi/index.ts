export { asyncapi } from './asyncapi.ts'
export type * from './document.ts'
export type { AsyncApiOptions, Described, Entry } from './options.ts'
