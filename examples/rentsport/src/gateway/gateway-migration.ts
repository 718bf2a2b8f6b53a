/** The bank's own books. One row decides a payment, for ever: a charge repeated after a crash finds it. */
export const GATEWAY_MIGRATION = `
create schema if not exists gateway;
create table if not exists gateway.decision (
  payment_id text primary key,
  outcome    text not null check (outcome in ('COMPLETED', 'DECLINED', 'VOIDED')),
  message    text not null,
  at         timestamptz not null default now()
);
create table if not exists gateway.charge (
  payment_id   text primary key references gateway.decision,
  amount_minor bigint not null check (amount_minor > 0),
  currency     text not null,
  at           timestamptz not null default now()
);
create table if not exists gateway.refund (
  payment_id text primary key references gateway.charge,
  at         timestamptz not null default now()
);
`
