import type { Chance } from './chance.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** What an operation of the database needs of the process that asks. */
export interface DatabaseUser extends Owner {
  /** A port is called, or answers: the process may die here. */
  touch(): boolean
}

/** The effects of all handlers: durable, each once per service and message, as an inbox keeps them. */
export class Database {
  readonly #scheduler: Scheduler
  readonly #chance: Chance
  readonly #owner: Owner = { name: 'database', alive: true }
  readonly #effects = new Set<string>()
  readonly #onEffect: (service: string, id: string) => void

  constructor(scheduler: Scheduler, chance: Chance, onEffect: (service: string, id: string) => void) {
    this.#scheduler = scheduler
    this.#chance = chance
    this.#onEffect = onEffect
  }

  has(service: string, id: string): boolean {
    return this.#effects.has(`${service} ${id}`)
  }

  /** Whether the effect is there already. */
  look(user: DatabaseUser, service: string, id: string): Promise<boolean> {
    return this.#call(user, () => this.has(service, id))
  }

  /** Commits the effect unless it is there; `false` if it was. */
  commit(user: DatabaseUser, service: string, id: string): Promise<boolean> {
    return this.#call(user, () => {
      if (this.has(service, id)) return false
      this.#effects.add(`${service} ${id}`)
      this.#onEffect(service, id)
      return true
    })
  }

  #call<T>(user: DatabaseUser, action: () => T): Promise<T> {
    return new Promise((resolve) => {
      if (!user.touch()) return
      this.#scheduler.schedule(
        this.#owner,
        () => {
          const result = action()
          // nobody is told who died meanwhile
          this.#scheduler.schedule(user, () => user.touch() && resolve(result), this.#chance.between(0, 2))
        },
        this.#chance.between(0, 2),
      )
    })
  }
}
