/** Runs before vitest's first test: without servers everything that needs one would fail, one obscure time-out each. */
export default function serversGiven(): void {
  const missing = ['DATABASE_URL', 'AMQP_URL', 'KAFKA_BROKERS'].filter((variable) => !process.env[variable])
  if (missing.length === 0) return
  throw new Error(`${missing.join(', ')} not set: use npm test, or npm run servers and the lines that it prints`)
}
