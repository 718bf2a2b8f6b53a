import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runRentSport, type RunningRentSport } from './test-rentsport.ts'

/** Without these, Chromium looks for hosts of its own at every start. */
const QUIET = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync']
const TIMEOUT_MS = 30_000

let system: RunningRentSport
let browser: Browser

beforeAll(async () => {
  const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
  ;[system, browser] = await Promise.all([runRentSport(), chromium.launch({ executablePath, args: QUIET })])
}, 90_000)

afterAll(async () => {
  await browser?.close()
  await system?.[Symbol.asyncDispose]()
})

/** The page as a person with that language sees it; anything the browser complains about fails the test. */
async function open(locale: 'en-GB' | 'ru-RU', view = ''): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ locale, viewport: { width: 1_200, height: 900 } })
  context.setDefaultTimeout(TIMEOUT_MS)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('request', (request) => {
    if (!request.url().startsWith(system.url) && !request.url().startsWith('data:')) complaints.push(request.url())
  })
  await page.goto(`${system.url}/${view}`)
  return { page, complaints }
}

async function pay(page: Page, equipment: number, card: string): Promise<string> {
  await page.locator(`[data-equipment="${equipment}"] button`).click()
  await page.locator('dialog input[name=days]').fill('2')
  await page.locator('dialog input[name=card]').fill(card)
  await page.locator('dialog button.main').click()
  return (await page.locator('dialog [data-payment]').getAttribute('data-payment'))!
}

describe('the page', () => {
  it('rents and pays, and shows each status as it comes', async () => {
    const { page, complaints } = await open('en-GB')
    await page.evaluate(() => {
      // which steps were under way or done, as they appeared
      const seen: string[] = ((globalThis as Record<string, unknown>).seen = []) as string[]
      const look = () => {
        for (const step of document.querySelectorAll('dialog .steps .running, dialog .steps .done')) {
          const status = (step as HTMLElement).dataset.status!
          if (!seen.includes(status)) seen.push(status)
        }
      }
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true })
    })
    const paymentId = await pay(page, 1, '4242 4242 4242 4242')
    await page.locator('dialog .steps .done[data-status=COMPLETED]').waitFor()
    const seen = await page.evaluate(() => (globalThis as Record<string, unknown>).seen)
    expect(seen).toEqual(['PENDING', 'PROCESSING', 'VALIDATING', 'COMPLETED'])
    expect(await system.get(`/api/charges?payment_id=${paymentId}`)).toHaveLength(1)

    await page.locator('dialog footer button').click()
    await page.locator('nav a[href="#rentals"]').click()
    await page.locator('.rows .badge.active').waitFor()
    await page.locator('nav a[href="#report"]').click()
    await page.locator('[data-figure=revenue]').waitFor()
    expect(complaints).toEqual([])
    await page.context().close()
  })

  it('tells the one who is refused why, in Russian', async () => {
    const { page, complaints } = await open('ru-RU')
    const paymentId = await pay(page, 2, '4000000000009995')
    const failed = page.locator('dialog .steps .failed')
    await failed.waitFor()
    expect(await failed.innerText()).toContain('На карте не хватает средств.')
    expect(await system.get(`/api/charges?payment_id=${paymentId}`)).toEqual([])

    await page.locator('dialog footer button').click()
    await page.locator('nav a[href="#rentals"]').click()
    expect(await page.locator('.rows .badge.cancelled').first().innerText()).toBe('Отменена')
    expect(complaints).toEqual([])
    await page.context().close()
  })

  it('says what an empty inbox is for', async () => {
    const { page, complaints } = await open('en-GB', '#notifications')
    expect(await page.locator('main .empty').innerText()).toContain('when a rental of yours is over')
    expect(complaints).toEqual([])
    await page.context().close()
  })

  it('shows what fails with its reason, and folds up what works', async () => {
    const { page } = await open('en-GB', '#operations')
    const failing = page.locator('main > .rows [data-part]')
    await page.getByText('Everything works.').waitFor()
    expect(await failing.count()).toBe(0)
    const { reports } = (await system.health()).pids
    process.kill(reports!, 'SIGSTOP')
    try {
      await failing.waitFor()
      expect(await failing.innerText()).toMatch(/^reports\s+away\s.*says nothing$/s)
      expect(await page.locator('details[open]').count()).toBe(0)
      await page.locator('details summary').click()
      await page.locator('details [data-part=backend] .up').waitFor()
      expect(await page.locator('details .why').count()).toBe(0)
      expect(await page.locator('details [data-part=reports]').count()).toBe(0)
    } finally {
      process.kill(reports!, 'SIGCONT')
    }
    await page.locator('details [data-part=reports] .up').waitFor()
    await page.context().close()
  })

  it('says what does not fit, and rents nothing', async () => {
    const { page } = await open('en-GB')
    await page.locator('[data-equipment="3"] button').click()
    await page.locator('dialog input[name=card]').fill('not a card')
    await page.locator('dialog button.main').click()
    expect(await page.locator('dialog [role=alert]').innerText()).toContain('check days and card number')
    expect(await system.rows('select from rentsport.rental where equipment_id = 3')).toEqual([])
    await page.context().close()
  })
})
