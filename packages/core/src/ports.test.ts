import { afterEach, describe, expect, it, vi } from 'vitest'
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
  afterEach(() => void vi.useRealTimers())

  it('keeps a timer of more than 24 days, which would fire at once in the platform, and calls it off', () => {
    vi.useFakeTimers()
    const action = vi.fn()
    systemPorts.timers.schedule(action, 2 ** 31 + 1)
    const cancel = systemPorts.timers.schedule(action, 2 ** 31 + 1)
    vi.advanceTimersByTime(2 ** 31)
    expect(action).not.toHaveBeenCalled()
    cancel()
    vi.advanceTimersByTime(1)
    expect(action).toHaveBeenCalledOnce()
  })
})
