import { ConfigError } from '@waybill/core'
import { quoteLiteral, quoteName, quoteSchema } from '../schema-name.ts'

export interface RolesOptions {
  /** @default 'waybill' */
  readonly schema?: string | undefined
  /** Writes messages with `createOutbox`. @default 'waybill_writer' */
  readonly writer?: string | undefined
  /** Reads the log: `startRelay`, `postgres`, and the command `waybill-outbox`. @default 'waybill_relay' */
  readonly relay?: string | undefined
  /** Keeps the inbox and parks messages: `createInbox`, `parkedPg`. @default 'waybill_consumer' */
  readonly consumer?: string | undefined
}

/**
 * SQL that makes three roles without login and gives each what it needs and no more. Grant them to the users that your
 * processes log in as; a service over `postgres()` needs all three. Run it again after `migrate`, as the owner of the schema;
 * roles that are not there yet want `CREATEROLE`.
 * @throws {ConfigError} for a name that PostgreSQL can't have
 */
export function rolesSql(options: RolesOptions = {}): string {
  const schema = quoteSchema(options.schema)
  const writer = roleName(options.writer ?? 'waybill_writer')
  const relay = roleName(options.relay ?? 'waybill_relay')
  const consumer = roleName(options.consumer ?? 'waybill_consumer')
  const make = [writer, relay, consumer].map(
    (role) =>
      // who may make no role may still grant to one that is there
      `DO LANGUAGE plpgsql $make$ BEGIN
  IF to_regrole(${quoteLiteral(role)}) IS NULL THEN CREATE ROLE ${role} NOLOGIN; END IF;
EXCEPTION WHEN duplicate_object THEN NULL; END $make$;`,
  )
  return `${make.join('\n')}
GRANT USAGE ON SCHEMA ${schema} TO ${writer}, ${relay}, ${consumer};

GRANT INSERT ON ${schema}.outbox, ${schema}.outbox_scheduled TO ${writer};
GRANT INSERT, SELECT, UPDATE (expires_at) ON ${schema}.outbox_dedupe TO ${writer};

GRANT SELECT ON ${schema}.outbox, ${schema}.outbox_default, ${schema}.meta, ${schema}.outbox_id_seq TO ${relay};
GRANT INSERT ON ${schema}.outbox TO ${relay};
GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.reader, ${schema}.outbox_retry TO ${relay};
GRANT SELECT, UPDATE, DELETE ON ${schema}.outbox_scheduled, ${schema}.outbox_dedupe TO ${relay};
GRANT EXECUTE ON FUNCTION ${schema}.make_partitions(int), ${schema}.drop_partitions(bigint) TO ${relay};

GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.inbox, ${schema}.parked TO ${consumer};`
}

function roleName(name: string): string {
  if (name === '' || Buffer.byteLength(name) > 63 || /[\0$]/.test(name)) {
    throw new ConfigError(`role ${JSON.stringify(name)}: give 1 to 63 bytes without U+0000 and "$"`)
  }
  return quoteName(name)
}
