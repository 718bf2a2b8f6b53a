import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ParkedMessage } from '../parked.ts'
import { runCommand } from './command.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const CLI = here('cli.ts')
const CONFIG = here('fixtures/config.ts')

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-command-'))
  file = join(folder, 'parked')
})
afterEach(() => rmSync(folder, { recursive: true }))

interface Ran {
  readonly code: number
  readonly out: string
  readonly error: string
}

function waybill(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, PARKED_FILE: file, NODE_NO_WARNINGS: '1' }
    const child = execFile(process.execPath, [CLI, ...args], { env, maxBuffer: 1e8 }, (_, out, error) =>
      resolve({ code: child.exitCode ?? -1, out, error }),
    )
  })
}
/** For what ends before a config is loaded. */
async function inThisProcess(...args: string[]): Promise<Ran> {
  let out = ''
  let error = ''
  const code = await runCommand({
    args,
    signal: new AbortController().signal,
    print: (text) => (out += `${text}\n`),
    printError: (text) => (error += `${text}\n`),
  })
  return { code, out, error }
}

const replay = (...args: string[]) => waybill('replay', ...args, '--config', CONFIG)

function item(handle: string, given: Partial<ParkedMessage['message']> = {}, reason = 'Error: no good'): ParkedMessage {
  return {
    handle,
    service: 'billing',
    reason,
    attempts: 12,
    parkedAtMs: Date.UTC(2026, 0, 2),
    message: {
      id: `id-${handle}`,
      type: 'rental.booked',
      destination: { kind: 'topic', name: 'rentals' },
      contentType: 'application/json',
      body: new TextEncoder().encode('{"secret":"payload"}'),
      attributes: { source: '/rentals' },
      headers: { mine: 'x' },
      ...given,
    },
  }
}
const park = (...items: ParkedMessage[]) => writeFileSync(file, serialize(items))
const left = () => (deserialize(readFileSync(file)) as ParkedMessage[]).map(({ handle }) => handle)
const log = () => readFileSync(`${file}.log`, 'utf8').trim().split('\n')

describe('waybill asyncapi', () => {
  it('prints the document, or writes it to a file', async () => {
    const { code, out } = await waybill('asyncapi', '--config', CONFIG)
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ asyncapi: '3.0.0', channels: { 'rental.booked': {} } })
    const target = join(folder, 'asyncapi.json')
    expect(await waybill('asyncapi', '--config', CONFIG, '--out', target)).toEqual({ code: 0, out: '', error: '' })
    expect(readFileSync(target, 'utf8')).toBe(out)
    expect(log()).toEqual(['closed', 'closed'])
  })
})

describe('waybill replay', () => {
  it('lists what fits the filters, without payloads', async () => {
    park(item('1', { orderingKey: 'a' }), item('2', { type: 'other' }), item('3', { orderingKey: 'b' }))
    const { code, out } = await replay('list', '--type', 'rental.booked')
    expect(code).toBe(0)
    expect(out.trim().split('\n')).toEqual([
      '1  2026-01-02T00:00:00.000Z  billing  rental.booked  id-1  key a  12 attempts  Error: no good',
      '3  2026-01-02T00:00:00.000Z  billing  rental.booked  id-3  key b  12 attempts  Error: no good',
    ])
    const json = await replay('list', '--json', '--key', 'b', '--service', 'billing')
    expect(JSON.parse(json.out)).toMatchObject({ handle: '3', orderingKey: 'b', bodyBytes: 20 })
    expect(json.out).not.toContain('payload')
    expect((await replay('list', '--service', 'nobody')).out).toBe('nothing is parked\n')
    const cut = await replay('list', '--limit', '1')
    expect([cut.out.split('\n').length, cut.error]).toEqual([2, expect.stringContaining('only the first 1')])
  })

  it('shows one whole, payload too, and lets nothing in it reach the terminal', async () => {
    const evil = '\u001b]0;owned\u0007\u202egnp.exe\u0085'
    const body = new TextEncoder().encode(`{"a":"${evil}"}\nsecond line`)
    park(item('1', { body, headers: { [evil]: evil }, orderingKey: evil, id: evil }, evil))
    for (const { code, out } of [
      await replay('show', '1'),
      await replay('list'),
      await replay('show', '1', '--json'),
    ]) {
      expect(code).toBe(0)
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    }
    const { out } = await replay('show', '1')
    expect(out.replaceAll(/ +/g, ' ')).toContain('\nkey \\u{1b}]0;owned\\u{7}\\u{202e}gnp.exe\\u{85}\n')
    expect(out).toContain('\nsecond line\n')
    const whole = JSON.parse((await replay('show', '1', '--json')).out) as { body: string; orderingKey: string }
    expect(whole).toMatchObject({ orderingKey: evil, body: `{"a":"${evil}"}\nsecond line` })
  })

  it('shows bytes that are no text in base64, and cuts what is long', async () => {
    park(
      item('1', { body: Uint8Array.of(0xff, 0xfe) }),
      item('2', { body: null }),
      item('3', { body: Buffer.alloc(20_000, 'x') }),
    )
    expect((await replay('show', '1')).out).toContain('\n//4=\n')
    expect(JSON.parse((await replay('show', '1', '--json')).out)).toMatchObject({ bodyBase64: '//4=' })
    expect((await replay('show', '2')).out).toMatch(/^body +none$/m)
    expect((await replay('show', '3')).out).toContain('… 10000 characters more')
    expect(await replay('show', '4')).toMatchObject({
      code: 1,
      error: expect.stringContaining('nothing is parked under "4"'),
    })
  })

  it('replays what is named, in the order given, or all that fit', async () => {
    park(item('1'), item('2'), item('3', { type: 'other' }), item('4'))
    expect(await replay('replay', '2', '1', '2')).toEqual({ code: 0, out: '2 replayed\n', error: '' })
    expect(await replay('replay', '--all', '--type', 'rental.booked', '--json')).toMatchObject({
      code: 0,
      out: '{"replayed":1,"failed":[],"notTried":0}\n',
    })
    expect(log()).toEqual(['replayed 2', 'replayed 1', 'closed', 'replayed 4', 'closed'])
    expect(left()).toEqual(['3'])
  })

  it('stops after a failure, tells how far it came, and goes on where it stopped', async () => {
    const many = Array.from({ length: 250 }, (_, n) => item(n === 120 ? 'stuck' : `n${n}`))
    park(...many)
    const { code, out, error } = await replay('replay', '--all')
    expect([code, out]).toEqual([1, '199 replayed\n'])
    expect(error.split('\n')).toEqual([
      '100 of 250',
      '200 of 250',
      'stuck not replayed: its service\\u{1b}[2J is not there',
      '50 not tried: look at what failed, then run again',
      '',
    ])
    expect(left()).toHaveLength(51)
    const handles = log().filter((line) => line !== 'closed')
    expect(handles).toEqual(
      many
        .slice(0, 200)
        .filter(({ handle }) => handle !== 'stuck')
        .map(({ handle }) => `replayed ${handle}`),
    )
  })

  it('discards with a reason and a yes only', async () => {
    park(item('1'), item('2'))
    for (const args of [['--reason', 'test data'], ['--yes'], ['--yes', '--reason', ' ']]) {
      expect((await inThisProcess('replay', 'discard', '1', ...args, '--config', CONFIG)).code).toBe(2)
    }
    expect(left()).toEqual(['1', '2'])
    expect(await replay('discard', '1', '--yes', '--reason', 'test data')).toEqual({
      code: 0,
      out: '1 discarded\n',
      error: '',
    })
    expect([left(), log()]).toEqual([['2'], ['discarded (test data) 1', 'closed']])
  })

  it('takes the dead letters of a bus, and closes it', async () => {
    const { code, out } = await waybill('replay', 'list', '--json', '--config', here('fixtures/bus.ts'))
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ service: 'post', type: 'mail', reason: 'no such address' })
  })

  it('ends in silence when the reader of its output has seen enough', async () => {
    park(...Array.from({ length: 20_000 }, (_, n) => item(`n${n}`)))
    const env = { ...process.env, PARKED_FILE: file, NODE_NO_WARNINGS: '1' }
    const child = spawn(process.execPath, [CLI, 'replay', 'list', '--limit', '20000', '--config', CONFIG], { env })
    let error = ''
    child.stderr.on('data', (text) => (error += String(text)))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect([code, error]).toEqual([0, ''])
  })
})

describe('a wrong call', () => {
  it.each<[string[], RegExp]>([
    [[], /"" is no command\nwaybill asyncapi/],
    [['fly'], /"fly" is no command/],
    [['replay', 'fly', '--config', CONFIG], /"fly" is no action/],
    [['replay', 'list'], /give --config FILE/],
    [['replay', 'list', '1', '--config', CONFIG], /no handles/],
    [['replay', 'show', '--config', CONFIG], /show takes one handle/],
    [['replay', 'replay', '--config', CONFIG], /handles, or --all/],
    [['replay', 'replay', '1', '--type', 'a', '--config', CONFIG], /filters go with --all/],
    [['replay', 'list', '--limit', '0', '--config', CONFIG], /--limit is "0"/],
    [['asyncapi', 'x', '--config', CONFIG], /options only/],
    [['asyncapi', '--nonsense'], /--nonsense/],
  ])('%j is told how, with exit code 2', async (args, text) => {
    const { code, out, error } = await inThisProcess(...args)
    expect([code, out]).toEqual([2, ''])
    expect(error).toMatch(text)
    expect(error).not.toMatch(/\n +at /)
  })

  it('and a config that is of no use end with 1, one line and no stack', async () => {
    const empty = join(folder, 'empty.mjs')
    writeFileSync(empty, 'export {}')
    const broken = join(folder, 'broken.mjs')
    writeFileSync(broken, 'throw new Error("no \\u001b[31mway")')
    const cases: [string[], RegExp][] = [
      [['asyncapi', '--config', empty], /exports no asyncapi/],
      [['replay', 'list', '--config', empty], /neither parked, bus nor transport/],
      [['replay', 'list', '--config', broken], /can not be loaded: no \\u\{1b\}\[31mway/],
      [['replay', 'list', '--config', join(folder, 'none.mjs')], /can not be loaded: Cannot find module/],
    ]
    for (const [args, text] of cases) {
      const { code, error } = await waybill(...args)
      expect([code, error.trim().split('\n').length]).toEqual([1, 1])
      expect(error).toMatch(text)
    }
  })

  it('and a question for help', async () => {
    expect(await waybill('--help')).toMatchObject({ code: 0, out: expect.stringContaining('waybill replay list') })
  })
})
