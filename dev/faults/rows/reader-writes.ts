import { setTimeout as pause } from 'node:timers/promises'
import type { World } from './world.ts'

/** Notes each checkpoint that is tried, and each that took effect. */
export async function watchWrites({ place: { log }, pool }: World): Promise<void> {
  await pool.query(`
    create table "${log}".tried (at bigint generated always as identity, relay text);
    create table "${log}".written (at bigint generated always as identity, relay text, first int, token bigint, position bigint);
    create function "${log}".note_try() returns trigger language plpgsql as $$ begin
      if current_query() like '%fence AS%' then
        insert into "${log}".tried (relay) values (current_setting('application_name'));
      end if;
      return null; end $$;
    create function "${log}".note_write() returns trigger language plpgsql as $$ begin
      if current_query() like '%fence AS%' then
        insert into "${log}".written (relay, first, token, position)
        values (current_setting('application_name'), lower(new.buckets), new.token, new.position);
      end if;
      return null; end $$;
    create trigger tries after update on "${log}".reader for each statement execute function "${log}".note_try();
    create trigger writes after update on "${log}".reader for each row execute function "${log}".note_write()`)
}

/** The relay whose checkpoint took effect last. */
export async function lastWriter({ place: { log }, pool }: World): Promise<string> {
  for (;;) {
    const { rows } = await pool.query(`select relay from "${log}".written order by at desc limit 1`)
    if (rows.length > 0) return rows[0].relay as string
    await pause(20)
  }
}

/** Whether it was the last to write one of the ranges that there are. */
export async function holdsAny({ place: { log }, pool }: World, relay: string): Promise<boolean> {
  const { rows } = await pool.query(
    `select from "${log}".reader r where $1 = (
       select relay from "${log}".written w where w.first = lower(r.buckets) order by at desc limit 1)`,
    [relay],
  )
  return rows.length > 0
}

/** How many checkpoints were refused, and how many came from a holder whose lease was another's by then. */
export async function whatWasWritten({ place: { log }, pool }: World): Promise<{ refused: number; backwards: number }> {
  const { rows } = await pool.query(`
    select (select count(*)::int from "${log}".tried) - (select count(*)::int from "${log}".written) as refused,
      (select count(*)::int from (select token, position, lag(token) over w as token_before, lag(position) over w as position_before,
          relay, lag(relay) over w as relay_before
        from "${log}".written window w as (partition by first order by at)) w
       where token < token_before or position < position_before or token = token_before and relay <> relay_before) as backwards`)
  return rows[0] as { refused: number; backwards: number }
}
