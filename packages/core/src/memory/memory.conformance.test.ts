import { describe, it } from 'vitest'
import { adapterSuite, separateClient } from '../testing/index.ts'
import { memory } from './index.ts'

const hub = memory()

adapterSuite({ name: 'memory', create: () => separateClient(hub), noConnection: true, runner: { describe, it } })
