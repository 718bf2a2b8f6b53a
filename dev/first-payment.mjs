// Rents the first free thing of a running RentSport and pays for it: `node dev/first-payment.mjs [http://127.0.0.1:3000]`.
import { setTimeout as wait } from 'node:timers/promises'

const base = process.argv[2] ?? 'http://127.0.0.1:3000'
const WITHIN_MS = 30_000

const equipment = await call('GET', '/api/equipment')
const things = Array.isArray(equipment) ? equipment : equipment.items
const thing = things.find((one) => one.status === undefined || /available|free/i.test(one.status)) ?? things[0]
const rental = await call('POST', '/api/rentals', {
  equipment_id: thing.id,
  user_id: 1,
  days: 1,
  payment_method: 'card:4242424242424242',
})
console.log(`rental ${rental.id}, payment ${rental.payment_id}: ${rental.amount_minor} ${rental.currency}`)

const deadline = Date.now() + WITHIN_MS
for (;;) {
  const charges = await call('GET', `/api/charges?payment_id=${encodeURIComponent(rental.payment_id)}`)
  if (charges.length > 1) throw new Error(`charged ${charges.length} times`)
  if (charges.length === 1) {
    const [charge] = charges
    if (charge.amount_minor !== rental.amount_minor || charge.currency !== rental.currency) {
      throw new Error(`charged ${charge.amount_minor} ${charge.currency}, not what the rental costs`)
    }
    console.log(`charged ${charge.amount_minor} ${charge.currency} at ${charge.at}`)
    break
  }
  if (Date.now() > deadline) throw new Error(`no charge within ${WITHIN_MS} ms`)
  await wait(100)
}

async function call(method, path, body) {
  const response = await fetch(new URL(path, base), {
    method,
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(10_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`)
  return JSON.parse(text)
}
