#!/usr/bin/env node
import { runCommand } from './command.ts'

void runCommand({
  args: process.argv.slice(2),
  env: process.env,
  print: (text) => process.stdout.write(`${text}\n`),
  printError: (text) => process.stderr.write(`${text}\n`),
}).then((code) => (process.exitCode = code))
