/** The folder that holds package.json of the workspace. */
export const root: string
/** What may be deleted at any time and is made again: fetched servers, build stamps, locks, logs. */
export const cacheFolder: string
/** One line about what is being done, on stderr so that a command's output stays clean. */
export function say(line: string): void
