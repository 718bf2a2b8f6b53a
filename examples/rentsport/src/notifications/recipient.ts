import type { PersonTable } from '../database/tables.ts'

/** The person as far as is known; a foreign producer may name somebody who is not in our table. */
export type Recipient = Pick<PersonTable, 'name' | 'email' | 'phone' | 'language' | 'channel'>
