import { chownSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { CannotRunHere } from './scenario.ts'

/** A tablespace in a folder of this machine, and an address under which all tables are made there. */
export async function tablespaceOn(url: string, folder: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const name = `faults_${crypto.randomUUID().slice(0, 8)}`
  const location = join(folder, name)
  try {
    const { rows } = await client.query('show data_directory')
    const { uid, gid } = statSync(rows[0].data_directory as string)
    mkdirSync(location, { mode: 0o700 })
    chownSync(location, uid, gid)
    await client.query(`create tablespace ${name} location '${location}'`)
  } catch (cause) {
    await client.end()
    throw new CannotRunHere('PostgreSQL takes no tablespace there: it runs elsewhere, or as another user', { cause })
  }
  const placed = new URL(url)
  placed.searchParams.set('options', `-c default_tablespace=${name}`)
  return {
    name,
    url: placed.href,
    async [Symbol.asyncDispose]() {
      await client.query(`drop tablespace ${name}`)
      await client.end()
    },
  }
}
