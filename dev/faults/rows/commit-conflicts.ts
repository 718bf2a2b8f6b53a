import { consume, produce, relay } from './parts.ts'
import { ensure, verdictOf, type Scenario } from './scenario.ts'
import { openWorld, type World } from './world.ts'

const LEAST = 60
const MOST = 2_000

/** Handlers whose transactions conflict with one another, so that COMMIT itself fails. */
export const commitConflicts: Scenario = {
  row: 11,
  what: 'COMMIT of a handler fails by a serialization failure or a deadlock: tried again, one effect',
  quick: true,
  async run(at) {
    await using world = await openWorld(at, { operations: LEAST, window: 100 })
    const { place } = world
    await makeConflicts(world)
    const failures: Record<string, number> = { '40001': 0, '40P01': 0 }
    const url = new URL(place.url)
    url.searchParams.set('options', '-c default_transaction_isolation=serializable')
    await using _consumer = await consume({ ...place, url: url.href }, () => {}, {
      onFailure: ({ code = 'none' }) => (failures[code] = (failures[code] ?? 0) + 1),
    })
    await using _relay = relay(place, () => {})
    const seen = () => Object.values(failures).every((count) => count > 0)
    let operations = LEAST
    do await produce({ ...place, operations }, () => {})
    while (!seen() && (operations += 20) <= MOST)
    const verdict = await verdictOf(world)
    ensure(seen(), `not all ways to fail were met: ${JSON.stringify(failures)}`)
    const counts = Object.entries(failures).map(([code, count]) => `${count} × ${code}`)
    return { verdict, note: counts.join(', ') }
  },
}

/** Each third effect reads what others write, each third locks two rows in its key's own order, all at COMMIT. */
async function makeConflicts({ place: { broker }, pool }: World): Promise<void> {
  await pool.query(`
    create table "${broker}".tally (n int);
    create table "${broker}".pair as select id, 0 as n from generate_series(0, 1) id;
    create function "${broker}".conflict() returns trigger language plpgsql as $$
      declare chance float := random();
      begin
        if chance < 1.0 / 3 then
          insert into "${broker}".tally select count(*) from "${broker}".tally;
          perform pg_sleep(0.005);
        elsif chance < 2.0 / 3 then
          perform set_config('deadlock_timeout', '5ms', true);
          update "${broker}".pair set n = n + 1 where id = new.key % 2;
          perform pg_sleep(0.01);
          update "${broker}".pair set n = n + 1 where id = 1 - new.key % 2;
        end if;
        return null;
      end $$;
    create constraint trigger conflicts after insert on "${broker}".effects
      deferrable initially deferred for each row execute function "${broker}".conflict()`)
}
