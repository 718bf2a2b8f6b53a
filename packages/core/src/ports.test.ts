import { describe, expect, it } from 'vitest'
import { systemPorts, uuidv7 } from './ports.ts'

describe('uuidv7', () => {
  it('is a UUID of version 7, in the order of its milliseconds, and unique', () => {
    const times = [0, 1, 255, 2 ** 32, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1]
    const ids = times.map(uuidv7)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect([...ids].sort()).toEqual(ids)
    expect(new Set(Array.from({ length: 10_000 }, () => uuidv7(1))).size).toBe(10_000)
  })
})

describe('systemPorts', () => {
  it('does not fire a timer of more than 24 days at once', async () => {
    let fired = false
    const cancel = systemPorts.timers.schedule(() => (fired = true), 2 ** 31 + 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    cancel()
    expect(fired).toBe(false)
  })
})
