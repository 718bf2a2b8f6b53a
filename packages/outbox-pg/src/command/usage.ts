export const USAGE = `waybill-outbox migrate
    makes the tables, or brings them to the newest version
waybill-outbox roles
    SQL for three database roles with least rights: writer, relay, consumer
waybill-outbox status
    what is stuck, why, since when, and what to do
waybill-outbox watch [--every SECONDS]
    the status again and again, until Ctrl-C
waybill-outbox relay --config FILE
    hands the outbox to brokers; FILE exports { pool, transports }
waybill-outbox readers list | drop NAME | move NAME --to POSITION|earliest|latest | move NAME --time ISO
    who reads the log; drop and move want --yes and --reason
waybill-outbox parked list | show HANDLE | replay HANDLE... | discard HANDLE...
    what was given up on: --service NAME --type TYPE --key KEY --all --limit N;
    discard wants --yes and --reason
waybill-outbox purge inbox | dedupe | parked | refused --older-than AGE
    forgets what is older than 30m, 12h, 7d; wants --yes and --reason
  --url URL      the database; else DATABASE_URL
  --schema NAME  default waybill
  --json         a JSON document on each line, errors too`
