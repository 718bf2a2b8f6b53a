/** One message of PostgreSQL's protocol; for tests alone. */
export function protocolMessage(type: string, body: Buffer | string): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(4 + Buffer.byteLength(body))
  return Buffer.concat([Buffer.from(type), length, Buffer.from(body)])
}
