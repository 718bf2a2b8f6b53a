import { writeFile } from 'node:fs/promises'
import { asyncapi, type AsyncApiDocument } from '../asyncapi/index.ts'
import { ConfigError } from '../errors.ts'
import type { CommandIo } from './command-io.ts'
import { valueOf, type CommandConfig } from './config.ts'

/** `waybill asyncapi`: prints the document, or writes it. */
export async function describe(config: CommandConfig, out: string | undefined, io: CommandIo): Promise<number> {
  try {
    if (config.asyncapi === undefined) {
      throw new ConfigError('the config exports no asyncapi: give it the options of asyncapi(), or what it returned')
    }
    const given = await valueOf(config.asyncapi)
    const document: AsyncApiDocument = 'asyncapi' in given ? given : asyncapi(given)
    const text = JSON.stringify(document, null, 2)
    if (out === undefined) io.print(text)
    else await writeFile(out, `${text}\n`)
    return 0
  } finally {
    await config.close?.()
  }
}
