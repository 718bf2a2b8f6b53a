/** People, equipment, rentals and the business clock. */
export const RENTAL_MIGRATION = `
create table rentsport.person (
  id       integer primary key,
  name     text not null,
  email    text not null,
  phone    text not null,
  language text not null check (language in ('ru', 'en')),
  channel  text not null check (channel in ('email', 'sms', 'push'))
);

create table rentsport.equipment (
  id                      integer primary key,
  category                text not null,
  name_en                 text not null,
  name_ru                 text not null,
  price_per_day_minor     integer not null check (price_per_day_minor > 0),
  currency                text not null check (currency in ('RUB', 'USD', 'EUR')),
  owner_id                integer not null references rentsport.person,
  units                   integer not null check (units > 0),
  maintenance_every_hours integer not null check (maintenance_every_hours > 0),
  rented_hours            double precision not null default 0,
  maintained_at_hours     double precision not null default 0,
  maintenance_due_since   timestamptz
);

create table rentsport.rental (
  id           integer generated always as identity primary key,
  equipment_id integer not null references rentsport.equipment,
  user_id      integer not null references rentsport.person,
  days         integer not null check (days > 0),
  amount_minor integer not null check (amount_minor > 0),
  currency     text not null check (currency in ('RUB', 'USD', 'EUR')),
  payment_id   text not null unique,
  status       text not null check (status in ('PENDING_PAYMENT', 'ACTIVE', 'CANCELLED', 'EXPIRED', 'RETURNED')),
  reason       text,
  booked_at    timestamptz not null,
  starts_at    timestamptz,
  ends_at      timestamptz,
  closed_at    timestamptz
);
create index rental_by_user on rentsport.rental (user_id, id desc);
create index rental_in_hand on rentsport.rental (equipment_id) where status in ('PENDING_PAYMENT', 'ACTIVE');
create index rental_by_end on rentsport.rental (ends_at) where status = 'ACTIVE';

-- One row: business time is real time until CLOCK_SPEED makes it run faster, and never goes back.
create table rentsport.business_clock (
  single      boolean primary key default true check (single),
  real_at     timestamptz not null,
  business_at timestamptz not null,
  speed       double precision not null,
  seen_at     timestamptz not null
);
insert into rentsport.business_clock (real_at, business_at, speed, seen_at) values (now(), now(), 1, now());

create function rentsport.business_now() returns timestamptz language sql volatile as $$
  select business_at + (clock_timestamp() - real_at) * speed from rentsport.business_clock
$$;
`

/** What the notification service delivered, and the report service's own tables. */
export const SERVICES_MIGRATION = `
create table rentsport.notification_delivered (
  id           bigint generated always as identity primary key,
  message_id   text not null,
  service      text not null,
  type         text not null,
  inventory_id bigint not null,
  user_id      bigint not null,
  message      text not null,
  sent_at      timestamptz not null,
  channels     text[] not null,
  delivered_at timestamptz not null default now()
);
create index notification_by_user on rentsport.notification_delivered (user_id, id desc);

create table rentsport.report_rental (
  rental_id    integer primary key,
  equipment_id integer not null,
  status       text not null,
  starts_at    timestamptz,
  ends_at      timestamptz,
  closed_at    timestamptz
);
create index report_rental_by_equipment on rentsport.report_rental (equipment_id);

create table rentsport.report_payment (
  payment_id   text primary key,
  status       text not null,
  number       integer not null,
  amount_minor bigint not null,
  currency     text not null
);
`
