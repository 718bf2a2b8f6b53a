import { PublishError, type WireMessage } from '@waybill/core'

/** @throws {PublishError} not retryable, for a body or headers over the limit */
export function checkLimits(
  message: WireMessage,
  { maxBodyBytes, maxHeaderBytes }: { readonly maxBodyBytes: number; readonly maxHeaderBytes: number },
): void {
  const bodyBytes = message.body?.byteLength ?? 0
  if (bodyBytes > maxBodyBytes) {
    throw new PublishError(`"${message.type}" has a body of ${bodyBytes} bytes, over maxBodyBytes ${maxBodyBytes}`, {
      retryable: false,
    })
  }
  let headerBytes = 0
  for (const [name, value] of Object.entries(message.headers)) {
    headerBytes += Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  if (headerBytes > maxHeaderBytes) {
    throw new PublishError(
      `"${message.type}" has headers of ${headerBytes} bytes, over maxHeaderBytes ${maxHeaderBytes}`,
      {
        retryable: false,
      },
    )
  }
}
