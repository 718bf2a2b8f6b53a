import fc from 'fast-check'
import { expect, it } from 'vitest'
import { chooseShards, type ShardsInSight } from './shard-choice.ts'

/** Who reads which shard; one that is taken by somebody can't be taken by another. */
class World {
  readonly owners: (string | undefined)[]
  readonly instances = new Set<string>()
  readonly wanting = new Set<string>()
  readonly random: () => number

  constructor(shards: number, random: () => number) {
    this.owners = Array.from({ length: shards }, () => undefined)
    this.random = random
  }

  leave(name: string): void {
    this.instances.delete(name)
    this.wanting.delete(name)
    this.owners.forEach((owner, shard) => {
      if (owner === name) this.owners[shard] = undefined
    })
  }

  see(name: string): ShardsInSight {
    const shards = this.owners.map((owner) => ({ held: owner === name, free: owner === undefined }))
    return { shards, instances: this.instances.size, wanting: this.wanting.size }
  }

  act(name: string, sight: ShardsInSight): void {
    const { take, give, want } = chooseShards(sight, this.random)
    if (give !== undefined) this.owners[give] = undefined
    for (const shard of take) this.owners[shard] ??= name
    if (want) this.wanting.add(name)
    else this.wanting.delete(name)
  }

  /** All see before the first acts, as instances that start together do, or one after another. */
  round(together: boolean): void {
    const names = [...this.instances]
    const seen = together ? names.map((name) => this.see(name)) : []
    names.forEach((name, index) => this.act(name, seen[index] ?? this.see(name)))
  }

  get shares(): number[] {
    return [...this.instances].map((name) => this.owners.filter((owner) => owner === name).length)
  }
}

function randomOf(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

const scenarios = fc.record({
  shards: fc.integer({ min: 1, max: 20 }),
  changes: fc.array(fc.constantFrom('join', 'join', 'leave'), { minLength: 1, maxLength: 10 }),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 2 }),
})

function play({ shards, changes, seed }: { shards: number; changes: readonly string[]; seed: number }): World {
  const random = randomOf(seed)
  const world = new World(shards, random)
  let born = 0
  world.instances.add(`i${born++}`)
  for (const what of changes) {
    if (what === 'join') world.instances.add(`i${born++}`)
    else if (world.instances.size > 1) world.leave([...world.instances][0]!)
    for (let round = 0; round < 3; round++) world.round(random() < 0.5)
  }
  for (let round = 0; round < 50; round++) world.round(random() < 0.5)
  return world
}

it('reads each shard, and gives each instance its share, whoever comes and goes', () => {
  fc.assert(
    fc.property(scenarios, (scenario) => {
      const { owners, instances, shares } = play(scenario)
      expect(owners).not.toContain(undefined)
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(Math.floor(scenario.shards / instances.size))
      expect(Math.max(...shares)).toBeLessThanOrEqual(Math.ceil(scenario.shards / instances.size))
    }),
    { numRuns: 1_000 },
  )
})

it('moves nothing once the shares are even', () => {
  fc.assert(
    fc.property(scenarios, (scenario) => {
      const world = play(scenario)
      const before = [...world.owners]
      for (let round = 0; round < 20; round++) world.round(round % 2 === 0)
      expect(world.owners).toEqual(before)
    }),
  )
})

it('takes all that nobody reads at its first look', () => {
  const shards = Array.from({ length: 3 }, () => ({ held: false, free: true }))
  expect([...chooseShards({ shards, instances: 1, wanting: 0 }, () => 0.5).take].sort()).toEqual([0, 1, 2])
})
