import { quoteLiteral } from '../schema-name.ts'
import { makePartitions } from './version-1.ts'

/**
 * No partition for ids that may be written at this moment: an insert that had chosen the default partition would find
 * itself in the wrong one, and fail. The default partition keeps what of them has none yet.
 */
export const version6 = (schema: string): string => `
CREATE OR REPLACE FUNCTION ${schema}.make_partitions(ahead int DEFAULT 2) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS ${quoteLiteral(
  makePartitions(schema, '(last_id + size / 10) / size + 1'),
)};
`
