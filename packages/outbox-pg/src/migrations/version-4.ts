/**
 * A reader may have a row for each range of its buckets. Readers of before know of one row alone and would read for all
 * buckets what they hold a part of, so they are shut out.
 */
export const version4 = (schema: string): string => `
CREATE UNIQUE INDEX reader_first_bucket ON ${schema}.reader (name, lower(buckets));
ALTER TABLE ${schema}.reader
  ADD COLUMN wanted_by text,
  ADD COLUMN wanted_until timestamptz;
UPDATE ${schema}.meta SET min_relay = greatest(min_relay, 2);
`
