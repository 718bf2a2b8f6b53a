import { ConfigError } from '@waybill/core'
import type { Queryable } from '../database.ts'

/** The first major version with multiranges, which readers keep their places in. */
const OLDEST = 14

/** @throws {ConfigError} for a server that is too old */
export async function checkServer(queryable: Queryable): Promise<void> {
  const { rows } = await queryable.query('SHOW server_version_num')
  const major = Math.floor(Number((rows[0] as { server_version_num: string }).server_version_num) / 10_000)
  if (major < OLDEST) {
    throw new ConfigError(`the server is PostgreSQL ${major}: @waybill/outbox-pg needs ${OLDEST} or later, update it`)
  }
}

/** A statement that fails on a server that is too old, for scripts that others run. */
export const checkServerSql = (oldest: number = OLDEST): string => `
DO LANGUAGE plpgsql $check$ BEGIN
  IF current_setting('server_version_num')::int < ${oldest}0000 THEN
    RAISE feature_not_supported USING MESSAGE =
      format('the server is PostgreSQL %s: @waybill/outbox-pg needs ${oldest} or later, update it', current_setting('server_version'));
  END IF;
END $check$;`
