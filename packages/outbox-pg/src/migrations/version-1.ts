import { quoteLiteral } from '../schema-name.ts'

/** The columns that carry a message, the same in each table that holds one. */
const MESSAGE = `
  message_id text NOT NULL,
  transport text,
  kind text NOT NULL,
  destination text NOT NULL,
  subject text,
  type text NOT NULL,
  ordering_key text,
  bucket smallint NOT NULL,
  attributes text NOT NULL,
  headers text,
  content_type text NOT NULL,
  body_text text,
  body_bytes bytea,
  correlation_id text,
  reply_to text,
  priority smallint,
  must_route boolean,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz`

/** The first tables. `schema` is quoted already. */
export const version1 = (schema: string): string => `
-- xid stands before id: who owns an id owns a transaction id already, which gap tracking relies upon
CREATE TABLE ${schema}.outbox (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  id bigint GENERATED ALWAYS AS IDENTITY,${MESSAGE},
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);
-- catches what runs past the last range while nobody makes partitions: an insert never fails for want of one
CREATE TABLE ${schema}.outbox_default PARTITION OF ${schema}.outbox DEFAULT;

CREATE TABLE ${schema}.reader (
  name text NOT NULL,
  buckets int4range NOT NULL DEFAULT '[0,16)',
  kind text NOT NULL,
  sources text,
  position bigint NOT NULL,
  open int8multirange NOT NULL DEFAULT '{}',
  token bigint NOT NULL DEFAULT 0,
  leased_by text,
  leased_until timestamptz,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (name, buckets)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

CREATE TABLE ${schema}.outbox_retry (
  reader text NOT NULL,
  id bigint NOT NULL,${MESSAGE},
  service text NOT NULL,
  attempts int NOT NULL DEFAULT 0,
  next_attempt_at timestamptz,
  last_error text,
  parked_at timestamptz,
  PRIMARY KEY (reader, id)
);
CREATE INDEX outbox_retry_due ON ${schema}.outbox_retry (reader, next_attempt_at) WHERE parked_at IS NULL;
CREATE INDEX outbox_retry_key ON ${schema}.outbox_retry (reader, destination, ordering_key, id) WHERE ordering_key IS NOT NULL;

CREATE TABLE ${schema}.outbox_scheduled (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  deliver_at timestamptz NOT NULL,${MESSAGE}
);
CREATE INDEX outbox_scheduled_due ON ${schema}.outbox_scheduled (deliver_at);

CREATE TABLE ${schema}.outbox_dedupe (
  type text NOT NULL,
  key text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (type, key)
);
CREATE INDEX outbox_dedupe_expires ON ${schema}.outbox_dedupe (expires_at);

CREATE TABLE ${schema}.inbox (
  service text NOT NULL,
  handler text NOT NULL,
  scope text NOT NULL DEFAULT '',
  key text NOT NULL,
  content_hash bytea,
  reply bytea,
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (service, handler, scope, key)
);
CREATE INDEX inbox_handled ON ${schema}.inbox (handled_at);

CREATE TABLE ${schema}.parked (
  handle bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service text NOT NULL,
  reason text NOT NULL,
  attempts int NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),${MESSAGE}
);
CREATE INDEX parked_service ON ${schema}.parked (service, handle);

CREATE FUNCTION ${schema}.make_partitions(ahead int DEFAULT 2) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS ${quoteLiteral(makePartitions(schema))};

CREATE FUNCTION ${schema}.drop_partitions(keep_ms bigint DEFAULT 0) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS ${quoteLiteral(dropPartitions(schema))};

REVOKE ALL ON FUNCTION ${schema}.make_partitions(int), ${schema}.drop_partitions(bigint) FROM PUBLIC;
SELECT ${schema}.make_partitions(2);
`

/** The body of the function that makes partitions, from the range `first` on: SQL of `last_id` and `size`. */
export const makePartitions = (schema: string, first = 'last_id / size'): string => {
  const outbox = quoteLiteral(`${schema}.outbox`)
  return `
DECLARE
  home CONSTANT text := ${quoteLiteral(schema)};
  size CONSTANT bigint := 100000;
  last_id bigint;
  made int := 0;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('waybill partitions', ${outbox}::regclass::oid::bigint)) THEN
    RETURN 0;
  END IF;
  SELECT last_value INTO last_id FROM ${schema}.outbox_id_seq;
  FOR range IN ${first} .. last_id / size + ahead LOOP
    CONTINUE WHEN to_regclass(format('%s.%I', home, 'outbox_p' || range)) IS NOT NULL;
    BEGIN
      -- ATTACH takes a lock on the parent that inserts and reads don't wait for; PARTITION OF would not
      EXECUTE format(
        'CREATE TABLE %1$s.%2$I (LIKE %1$s.outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
        home, 'outbox_p' || range
      );
      EXECUTE format(
        'ALTER TABLE %1$s.outbox ATTACH PARTITION %1$s.%2$I FOR VALUES FROM (%3$s) TO (%4$s)',
        home, 'outbox_p' || range, range * size, (range + 1) * size
      );
      made := made + 1;
    EXCEPTION
      -- rows of this range lie in the default partition already, or a lock was not free: the next ranges go on
      WHEN check_violation OR lock_not_available THEN NULL;
    END;
  END LOOP;
  RETURN made;
END 
`
}

const dropPartitions = (schema: string): string => {
  const outbox = quoteLiteral(`${schema}.outbox`)
  return `
DECLARE
  home CONSTANT text := ${quoteLiteral(schema)};
  size CONSTANT bigint := 100000;
  passed bigint;
  part record;
  needed boolean;
  dropped int := 0;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('waybill partitions', ${outbox}::regclass::oid::bigint)) THEN
    RETURN 0;
  END IF;
  SELECT min(least(position, coalesce(lower(open) - 1, position))) INTO passed FROM ${schema}.reader;
  IF passed IS NULL THEN
    RETURN 0;
  END IF;
  FOR part IN
    SELECT c.relname AS name, substr(c.relname, 9)::bigint AS range
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = ${outbox}::regclass AND c.relname ~ '^outbox_p[0-9]+$'
    ORDER BY 2
  LOOP
    EXIT WHEN (part.range + 1) * size - 1 > passed;
    -- kept: what is too young, and what a reader that does not exist yet would need
    EXECUTE format(
      'SELECT EXISTS (SELECT FROM %1$s.%2$I WHERE created_at > clock_timestamp() - $1 * interval ''1 ms'')
        OR EXISTS (
          SELECT FROM (SELECT DISTINCT transport, kind, CASE WHEN kind IN (''queue'', ''service'') THEN destination END AS name
            FROM %1$s.%2$I) used
          WHERE NOT EXISTS (
            SELECT FROM %1$s.reader WHERE CASE
              WHEN used.transport IS DISTINCT FROM ''postgres'' THEN kind = ''relay'' AND reader.name = coalesce(''relay/'' || used.transport, reader.name)
              WHEN used.kind = ''queue'' THEN reader.name = ''queue/'' || used.name
              WHEN used.kind = ''service'' THEN reader.name = ''service/'' || used.name
              ELSE true END))',
      home, part.name
    ) INTO needed USING keep_ms;
    CONTINUE WHEN needed;
    BEGIN
      EXECUTE format('DROP TABLE %s.%I', home, part.name);
      dropped := dropped + 1;
    EXCEPTION
      WHEN lock_not_available THEN EXIT;
    END;
  END LOOP;
  BEGIN
    DELETE FROM ${schema}.outbox_default
    WHERE id <= passed AND created_at <= clock_timestamp() - keep_ms * interval '1 ms';
  EXCEPTION
    WHEN lock_not_available THEN NULL;
  END;
  RETURN dropped;
END 
`
}
