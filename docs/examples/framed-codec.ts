import { CodecError, type Codec } from '@waybill/core'

// #region example
/** The five bytes of a schema registry before what another codec writes. */
export function framed(codec: Codec, schemaId: number): Codec {
  return {
    contentType: codec.contentType,
    encode(data) {
      const head = Buffer.alloc(5)
      head.writeUInt32BE(schemaId, 1)
      return Buffer.concat([head, codec.encode(data)])
    },
    decode(body) {
      const id = body[0] === 0 && body.length >= 5 ? Buffer.from(body).readUInt32BE(1) : undefined
      if (id !== schemaId) throw new CodecError(`body is of schema ${id ?? 'none'}, not of ${schemaId}`)
      return codec.decode(body.subarray(5))
    },
  }
}
// #endregion
