/**
 * Payments and their statuses. `method_secret` is what the gateway must be told again after a crash; it goes when the
 * payment ends. A payment is open until its status is final and what had to be undone is undone.
 */
export const PAYMENT_MIGRATION = `
create schema if not exists rentsport;
create table rentsport.payment (
  id            text primary key check (char_length(id) between 1 and 200),
  rental_id     integer unique,
  user_id       text not null,
  amount_minor  bigint not null check (amount_minor > 0),
  currency      text not null check (currency in ('RUB', 'USD', 'EUR')),
  method_masked text not null,
  method_secret text,
  fingerprint   text not null,
  status        text check (status in ('PENDING', 'PROCESSING', 'VALIDATING', 'COMPLETED', 'FAILED')),
  number        integer not null default 0,
  undo          text check (undo in ('VOID', 'REFUND')),
  created_at    timestamptz not null default now(),
  give_up_at    timestamptz not null,
  open          boolean not null default true
);
create index payment_open on rentsport.payment (created_at) where open;

create table rentsport.payment_status (
  payment_id text not null references rentsport.payment,
  number     integer not null,
  status     text not null,
  message    text not null,
  at         timestamptz not null,
  primary key (payment_id, number)
);
`
