// Started by the watchdog (watchdog.ts) when the owner of a server is gone: ends the server and deletes its folder.
import { clear } from './run-folder.ts'

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: sweep.ts FOLDER')
clear(folder)
