import { expect, test } from 'vitest'
import { commandOf } from './process-info.ts'
import { eventually, runRentSport } from '../test-rentsport.ts'
import { rent } from '../test-scenario.ts'

const EMBEDDED = { DATABASE_URL: '' }

test('with its own database: killed outright it leaves nobody behind, and the next start has the data', async () => {
  await using first = await runRentSport(EMBEDDED)
  const DATA_DIR = first.dataDir
  const { id } = await rent(first)
  const { pids } = await first.health()
  first.child.kill('SIGKILL')
  await first.exited
  await eventually('all its processes ended', () =>
    Promise.resolve(Object.values(pids).every((pid) => commandOf(pid!) === undefined)),
  )
  await using second = await runRentSport({ ...EMBEDDED, DATA_DIR })
  expect(await second.get(`/api/rentals/${id}`)).toMatchObject({ id })
  await expect(runRentSport({ ...EMBEDDED, DATA_DIR })).rejects.toThrow(/DATA_DIR .* runs there already/)
}, 120_000)

test('a port that was asked for and is taken is an error that names its variable', async () => {
  await using first = await runRentSport()
  const PORT = new URL(first.url).port
  await expect(runRentSport({ PORT })).rejects.toThrow(`PORT is ${PORT}: that port is taken`)
}, 120_000)
