/** Line drawings of 48 by 48, one per category: no font has to have them. */
const DRAWINGS: Readonly<Record<string, string>> = {
  bike: 'M4 33a8 8 0 1 0 16 0 8 8 0 1 0-16 0M28 33a8 8 0 1 0 16 0 8 8 0 1 0-16 0M12 33l7-15h12l5 15M17 23l7 10 7-15M15 18h7M31 18l-2-6h5',
  scooter: 'M5 37a4 4 0 1 0 8 0 4 4 0 1 0-8 0M35 37a4 4 0 1 0 8 0 4 4 0 1 0-8 0M13 37h17c0-5 3-8 7-8L32 8h-6',
  ski: 'M12 4v34c0 4-2 6-5 6M20 4v34c0 4-2 6-5 6M31 6v32M41 6v32M28 35h6M38 35h6',
  snowboard: 'M9 39C4 34 6 30 10 26L26 10c4-4 8-6 13-1s3 9-1 13L22 38c-4 4-8 6-13 1zM17 24l7 7M24 17l7 7',
  skate: 'M14 6v20l-4 6h26c2 0 4-2 4-4s-2-4-6-5l-9-3V6zM14 12h11M15 32v6M34 32v6M8 38h30c3 0 5-1 6-4',
  sled: 'M6 24h34M12 24v12M30 24v12M4 36h34c4 0 6-3 6-6M40 24c3 0 4-3 4-6M16 24v-6h14v6',
  kayak: 'M4 28c7 9 33 9 40 0-9-3-31-3-40 0zM18 26c1-4 11-4 12 0M8 8l32 32M5 11l6-6M37 43l6-6',
  sup: 'M24 4c7 8 8 28 0 40-8-12-7-32 0-40zM24 10v28M38 6v26M35 32h6v10h-6z',
  surf: 'M24 4c7 8 8 28 0 40-8-12-7-32 0-40zM24 10v28M4 40c4-3 8-3 12 0M32 40c4-3 8-3 12 0',
  tent: 'M4 40L24 8l20 32zM24 8v0M17 40l7-13 7 13M24 8l3-4',
  climbing: 'M10 44V22L24 6l14 16v22M17 44V30h14v14M24 6v10',
  helmet: 'M6 30a18 18 0 0 1 36 0zM4 30h40v5H4zM18 14v16M30 14v16',
  tennis:
    'M8 16a12 10 45 1 0 22 6 12 10 45 1 0-22-6zM27 27l14 14M12 12l12 14M10 20l14-10M36 12a3 3 0 1 0 6 0 3 3 0 1 0-6 0',
  golf: 'M18 42V5l18 7-18 8M8 42h24M34 40a3 3 0 1 0 6 0 3 3 0 1 0-6 0',
}
const ANY = 'M24 6l5.5 11.5L42 19l-9 9 2 13-11-6-11 6 2-13-9-9 12.500-1.500z'

/** What a category of equipment looks like. */
export function Picture({ category }: { readonly category: string }) {
  return (
    <svg class="picture" viewBox="0 0 48 48" aria-hidden="true">
      <path d={DRAWINGS[category] ?? ANY} />
    </svg>
  )
}
