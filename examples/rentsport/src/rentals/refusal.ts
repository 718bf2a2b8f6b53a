/** What a person asked for and can't have, said so that a page can translate it. */
export class Refusal extends Error {
  readonly status: 404 | 409 | 422
  readonly code: string
  readonly field: string | undefined

  constructor(status: 404 | 409 | 422, code: string, message: string, field?: string) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.code = code
    this.field = field
  }
}

export const unknownEquipment = (id: number): Refusal =>
  new Refusal(404, 'UNKNOWN_EQUIPMENT', `there is no equipment ${id}`, 'equipment_id')

export const unknownUser = (id: number): Refusal =>
  new Refusal(404, 'UNKNOWN_USER', `there is no user ${id}`, 'user_id')

export const unknownRental = (id: number): Refusal =>
  new Refusal(404, 'UNKNOWN_RENTAL', `there is no rental ${id}`, 'id')
