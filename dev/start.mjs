// npm start: RentSport on http://127.0.0.1:3000, installed and built first where needed.
import { command } from './bootstrap.mjs'

await command('examples/rentsport/src/main.ts', { stopWithinMs: 9_500 })
