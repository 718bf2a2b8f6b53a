import { PublishError, type Publisher } from '@waybill/core'

// #region example
// header values are ASCII on HTTP; CloudEvents says how the rest is written
const ascii = (text: string) => text.replace(/[^!#$&-~]/gu, encodeURIComponent)

export const webhook = (url: string): Publisher => ({
  publish: (messages, options) =>
    messages.map(async ({ id, type, body, contentType, attributes }) => {
      const headers = {
        'content-type': contentType,
        'ce-specversion': '1.0',
        'ce-id': ascii(id),
        'ce-type': ascii(type),
        ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, ascii(value)])),
      }
      const signal = options?.signal ?? null
      const response = await fetch(url, { method: 'POST', body: body as BodyInit, signal, headers }).catch((cause) => {
        throw new PublishError('webhook not reached', { scope: 'transport', retryable: true, mayExist: true, cause })
      })
      if (response.ok) return
      throw new PublishError(`webhook answered ${response.status}`, { retryable: response.status >= 500 })
    }),
})
// #endregion
