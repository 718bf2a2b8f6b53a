/**
 * The partition of a key, as every client of Kafka chooses it: murmur2 over the key's bytes.
 * @see https://kafka.apache.org/41/javadoc/org/apache/kafka/clients/producer/ProducerConfig.html#PARTITIONER_CLASS_CONFIG
 */
export function partitionOf(key: string | Buffer, count: number): number {
  return (murmur2(typeof key === 'string' ? Buffer.from(key) : key) & 0x7fffffff) % count
}

const SEED = 0x9747b28c
const M = 0x5bd1e995

function murmur2(bytes: Buffer): number {
  const { length } = bytes
  const whole = length & ~3
  let hash = SEED ^ length
  for (let at = 0; at < whole; at += 4) {
    const part = Math.imul(bytes.readInt32LE(at), M)
    hash = Math.imul(hash, M) ^ Math.imul(part ^ (part >>> 24), M)
  }
  for (let at = length - 1; at >= whole; at--) hash ^= bytes[at]! << (8 * (at - whole))
  if (whole < length) hash = Math.imul(hash, M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
