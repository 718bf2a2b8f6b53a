// One part of a run in a process of its own, to be killed at its failpoint.
import { failpoint, poisonedBy } from './failpoint.ts'
import { consume, produce, relay, type Place } from './parts.ts'

const { PART, PLACE, POINT, TIMES, SIGNAL, POISON, FOREIGN, CONSUME = '{}' } = process.env
const place = JSON.parse(PLACE!) as Place
const reach = POISON ? poisonedBy(POISON) : failpoint(POINT!, Number(TIMES), SIGNAL as NodeJS.Signals | undefined)
process.once('disconnect', () => process.exit(0))

if (PART === 'relay') relay(place, reach)
else if (PART === 'consumer') await consume(place, reach, { foreign: FOREIGN === 'yes', ...JSON.parse(CONSUME) })
else {
  await produce(place, reach)
  process.exit(0)
}
