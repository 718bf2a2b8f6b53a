import type { PersonTable } from './tables.ts'

/** The people one can be on the page: the first ones rent, the last ones own. */
export const PEOPLE: PersonTable[] = [
  person(1, 'Анна Кузнецова', 'anna', 'ru', 'push'),
  person(2, 'Oliver Brandt', 'oliver', 'en', 'sms'),
  person(3, 'Тимур Сафин', 'timur', 'ru', 'sms'),
  person(4, 'Maya Lindqvist', 'maya', 'en', 'push'),
  person(5, 'Илья Громов', 'ilya', 'ru', 'email'),
  person(6, 'Chloe Martin', 'chloe', 'en', 'email'),
  person(101, 'Велодом (Vera Belova)', 'velodom', 'ru', 'sms'),
  person(102, 'Alpine Barn (Jonas Weber)', 'alpine', 'en', 'push'),
  person(103, 'Речная станция (Пётр Ершов)', 'river', 'ru', 'email'),
  person(104, 'Trailhead Outfitters (Nina Shaw)', 'trailhead', 'en', 'sms'),
]

const HOURS = 24

/** The inventory: models, prices a day in minor units, and how many of each an owner has. */
export const EQUIPMENT = [
  equipment(1, 'bike', 'Merida Crossway 100 city bike', 'Городской велосипед Merida Crossway 100', 90_000, 101, 60),
  equipment(2, 'bike', 'Trek Marlin 7 mountain bike', 'Горный велосипед Trek Marlin 7', 150_000, 101, 48),
  equipment(3, 'bike', 'Giant Contend AR 3 road bike', 'Шоссейный велосипед Giant Contend AR 3', 190_000, 101, 36),
  equipment(4, 'bike', 'Cube Reaction Hybrid e-bike', 'Электровелосипед Cube Reaction Hybrid', 290_000, 101, 24),
  equipment(5, 'bike', 'Puky Cyke 20 children’s bike', 'Детский велосипед Puky Cyke 20', 50_000, 101, 40),
  equipment(6, 'scooter', 'Ninebot Max G2 kick scooter', 'Электросамокат Ninebot Max G2', 120_000, 101, 50),
  equipment(7, 'ski', 'Atomic Redster X7 alpine skis', 'Горные лыжи Atomic Redster X7', 180_000, 102, 44),
  equipment(8, 'ski', 'Rossignol Experience 78 alpine skis', 'Горные лыжи Rossignol Experience 78', 150_000, 102, 52),
  equipment(9, 'ski', 'Fischer RCS Skate cross-country skis', 'Беговые лыжи Fischer RCS Skate', 110_000, 102, 60),
  equipment(10, 'ski', 'Madshus Panorama touring skis', 'Туристские лыжи Madshus Panorama', 95_000, 102, 30),
  equipment(11, 'snowboard', 'Burton Custom snowboard', 'Сноуборд Burton Custom', 170_000, 102, 40),
  equipment(12, 'snowboard', 'Jones Solution splitboard', 'Сплитборд Jones Solution', 320_000, 102, 24),
  equipment(13, 'skate', 'Bauer Vapor X4 ice skates', 'Коньки Bauer Vapor X4', 45_000, 102, 80),
  equipment(14, 'sled', 'Hamax Sno Racing sled', 'Снегокат Hamax Sno Racing', 40_000, 102, 40),
  equipment(15, 'kayak', 'Prijon Capri Tour sea kayak', 'Морской каяк Prijon Capri Tour', 240_000, 103, 28),
  equipment(16, 'kayak', 'Wilderness Pungo 120 kayak', 'Каяк Wilderness Pungo 120', 180_000, 103, 30),
  equipment(17, 'kayak', 'Old Town Discovery 158 canoe', 'Каноэ Old Town Discovery 158', 210_000, 103, 24),
  equipment(18, 'surf', 'Red Paddle Ride 10.6 SUP board', 'Сапборд Red Paddle Ride 10.6', 130_000, 103, 50),
  equipment(19, 'surf', 'Fanatic Gecko windsurf board', 'Доска для виндсёрфинга Fanatic Gecko', 260_000, 103, 24),
  equipment(20, 'tent', 'MSR Hubba Hubba 2 tent', 'Палатка MSR Hubba Hubba 2', 85_000, 104, 45),
  equipment(21, 'climbing', 'Petzl via ferrata kit', 'Комплект для виа-феррата Petzl', 70_000, 104, 50),
  equipment(22, 'climbing', 'Black Diamond crash pad', 'Крэшпад Black Diamond', 60_000, 104, 30),
  equipment(23, 'tennis', 'Wilson Blade 98 racket', 'Ракетка Wilson Blade 98', 35_000, 104, 70),
  equipment(24, 'golf', 'Callaway Strata golf set', 'Набор для гольфа Callaway Strata', 220_000, 104, 25),
]

function person(
  id: number,
  name: string,
  mailbox: string,
  language: 'ru' | 'en',
  channel: 'email' | 'sms' | 'push',
): PersonTable {
  const phone = `+7 900 000-${String(id).padStart(4, '0').slice(0, 2)}-${String(id % 100).padStart(2, '0')}`
  return { id, name, email: `${mailbox}@rentsport.example`, phone, language, channel }
}

function equipment(
  id: number,
  category: string,
  name_en: string,
  name_ru: string,
  price_per_day_minor: number,
  owner_id: number,
  units: number,
) {
  const maintenance_every_hours = 10 * HOURS
  const currency = 'RUB' as const
  return { id, category, name_en, name_ru, price_per_day_minor, currency, owner_id, units, maintenance_every_hours }
}
