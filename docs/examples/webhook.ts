import { PublishError, type Publisher } from '@waybill/core'

// #region example
export const webhook = (url: string): Publisher => ({
  publish: (messages, options) =>
    messages.map(async ({ id, type, body, contentType, attributes }) => {
      const headers = {
        'content-type': contentType,
        'ce-id': id,
        'ce-type': type,
        'ce-source': attributes.source ?? '',
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
