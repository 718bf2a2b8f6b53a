/** How a payment method behaves. */
export type Behaviour = 'succeeds' | 'declined' | 'insufficient funds' | 'silent' | 'answered twice'

/** Test cards as the trade knows them; every other card and account succeeds. */
const CARDS: Readonly<Record<string, Behaviour>> = {
  '4000000000000002': 'declined',
  '4000000000009995': 'insufficient funds',
  '4000000000000119': 'silent',
  '4000000000000259': 'answered twice',
}

export function behaviourOf(paymentMethod: string): Behaviour {
  const [kind, value = ''] = paymentMethod.split(':', 2)
  return (kind === 'card' ? CARDS[value] : undefined) ?? 'succeeds'
}

export const REFUSALS: Readonly<Partial<Record<Behaviour, string>>> = {
  declined: 'the card was declined',
  'insufficient funds': 'the card has insufficient funds',
}
