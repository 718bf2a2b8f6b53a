import type { SuiteCase } from '../suite-case.ts'
import { basic, publishFirst } from './basic.ts'

/** All cases in the order they run. */
export const cases: readonly SuiteCase[] = [basic, publishFirst]
