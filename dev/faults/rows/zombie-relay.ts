import { setTimeout as pause } from 'node:timers/promises'
import { ChildPart } from './child-part.ts'
import { consume } from './parts.ts'
import { ensure, produceUntil, seededRandom, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const FREEZES = 6

/** Two relays; the one that holds the lease is frozen past it, and wakes up while the other is at work. */
export const zombieRelay: Scenario = {
  row: 32,
  what: 'relay frozen past its lease, then woken: its late writes are refused',
  async run({ seed, ...at }) {
    const random = seededRandom(seed * 1_000 + 32)
    await using world = await openWorld(at, { operations: 0, window: 20 })
    const { place } = world
    await watchWrites(world)
    await using _consumer = await consume(place, () => {})
    await using one = new ChildPart('relay', place, { env: { PGAPPNAME: 'one' } })
    await using two = new ChildPart('relay', place, { env: { PGAPPNAME: 'two' } })
    const relays: Record<string, ChildPart> = { one, two }
    let over = false
    const freezing = (async () => {
      for (let freeze = 0; freeze < FREEZES; freeze++) {
        const holder = await lastWriter(world)
        await pause(random() * 200)
        relays[holder]!.freeze()
        while ((await lastWriter(world)) === holder) await pause(20)
        relays[holder]!.thaw()
        await pause(random() * 400)
      }
    })()
    await Promise.all([freezing.finally(() => (over = true)), produceUntil(world, () => over)])
    const verdict = await verdictOf(world)
    const { refused, backwards } = await whatWasWritten(world)
    ensure(backwards === 0, `${backwards} writes of the reader's row came from a holder whose lease was taken over`)
    return { kills: FREEZES, verdict, note: `${refused} late writes refused` }
  },
}

/** Notes each checkpoint that is tried, and each that took effect. */
async function watchWrites({ place: { log }, pool }: World): Promise<void> {
  await pool.query(`
    create table "${log}".tried (at bigint generated always as identity, relay text);
    create table "${log}".written (at bigint generated always as identity, relay text, token bigint, position bigint);
    create function "${log}".note_try() returns trigger language plpgsql as $$ begin
      if current_query() like '%fence AS%' then
        insert into "${log}".tried (relay) values (current_setting('application_name'));
      end if;
      return null; end $$;
    create function "${log}".note_write() returns trigger language plpgsql as $$ begin
      if current_query() like '%fence AS%' then
        insert into "${log}".written (relay, token, position)
        values (current_setting('application_name'), new.token, new.position);
      end if;
      return null; end $$;
    create trigger tries after update on "${log}".reader for each statement execute function "${log}".note_try();
    create trigger writes after update on "${log}".reader for each row execute function "${log}".note_write()`)
}

async function lastWriter({ place: { log }, pool }: World): Promise<string> {
  for (;;) {
    const { rows } = await pool.query(`select relay from "${log}".written order by at desc limit 1`)
    if (rows.length > 0) return rows[0].relay as string
    await pause(20)
  }
}

async function whatWasWritten({ place: { log }, pool }: World): Promise<{ refused: number; backwards: number }> {
  const { rows } = await pool.query(`
    select (select count(*)::int from "${log}".tried) - (select count(*)::int from "${log}".written) as refused,
      (select count(*)::int from (select token, position, lag(token) over w as token_before, lag(position) over w as position_before,
          relay, lag(relay) over w as relay_before
        from "${log}".written window w as (order by at)) w
       where token < token_before or position < position_before or token = token_before and relay <> relay_before) as backwards`)
  return rows[0] as { refused: number; backwards: number }
}
