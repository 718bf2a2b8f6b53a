const builtin = '^node:'
const coreSource = '^packages/core/src/'
const notTests = '\\.test(-d)?\\.ts$'

/** What each package may import from npm at run time, beside core. */
const clients = {
  'adapter-amqp': ['amqplib'],
  'adapter-kafka': ['kafkajs'],
  'adapter-grpc': ['@grpc/grpc-js', '@grpc/proto-loader'],
  'outbox-pg': ['pg', 'kysely'],
}

const npm = (names) => `node_modules/(@types/)?(${names.join('|')})/`

/** Each leaf package: core by its public name, its own clients, Node. */
const leafRules = Object.entries(clients).map(([name, allowed]) => ({
  name: `${name}-imports`,
  comment: `${name} stands on core and on ${allowed.join(', ')}; never on another adapter or the outbox`,
  severity: 'error',
  from: { path: `^packages/${name}/src/`, pathNot: notTests },
  to: {
    pathNot: [`^packages/${name}/src/`, `^packages/core/(src|dist)/`, builtin, npm(allowed)],
    dependencyTypesNot: ['core'],
  },
}))

/** A subpath of core stands on the one library that it is for, which its users install. */
const peers = { protobuf: '@bufbuild/protobuf', avro: 'avsc', opentelemetry: '@opentelemetry/api' }

const peerRules = Object.entries(peers).map(([name, library]) => ({
  name: `core-${name}-imports`,
  comment: `@waybill/core/${name} stands on core and ${library}`,
  severity: 'error',
  from: { path: `${coreSource}${name}/`, pathNot: notTests },
  to: { pathNot: [coreSource, builtin, npm([library])], dependencyTypesNot: ['core'] },
}))

/** The picture of docs: each floor of core stands on the floors below it only. */
const floors = [
  ['index'],
  ['bus'],
  ['handler', 'publisher', 'middleware/'],
  ['message', 'definition'],
  ['codec', 'memory/', 'testing/'],
  ['transport', 'errors'],
]
const floorPath = (names) =>
  `${coreSource}(${names.map((name) => (name.endsWith('/') ? name : `${name}\\.ts$`)).join('|')})`

const floorRules = floors.slice(1).map((floor, index) => ({
  name: `core-floor-${floor[0].replace('/', '')}`,
  comment: `${floor.join(', ')} may not stand on what is above: ${floors
    .slice(0, index + 1)
    .flat()
    .join(', ')}`,
  severity: 'error',
  from: { path: floorPath(floor), pathNot: [notTests, `${coreSource}testing/`] },
  to: { path: floorPath(floors.slice(0, index + 1).flat()) },
}))

module.exports = {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'imports form no circle, type imports included',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'core-imports',
      comment: 'core stands on p-retry, the types of Standard Schema and Node alone',
      severity: 'error',
      from: { path: coreSource, pathNot: [notTests, `${coreSource}(testing|${Object.keys(peers).join('|')})/`] },
      to: { pathNot: [coreSource, builtin, npm(['p-retry', '@standard-schema/spec'])], dependencyTypesNot: ['core'] },
    },
    ...peerRules,
    ...leafRules,
    ...floorRules,
    {
      name: 'ground-of-core',
      comment: 'the adapter contract and the errors are the ground: they stand on each other at most',
      severity: 'error',
      from: { path: `${coreSource}(transport|errors)\\.ts$` },
      to: {
        path: coreSource,
        pathNot: `${coreSource}(transport|errors|capabilities|wire-message|parked|schema)\\.ts$`,
      },
    },
    {
      name: 'public-face-only',
      comment: 'another package is reached by its public name, never by a path into it',
      severity: 'error',
      from: { path: '^(packages|examples)/([^/]+)/' },
      to: {
        path: '^packages/([^/]+)/',
        pathNot: '^packages/$2/',
        // A public name arrives at the sources too, by the paths of tsconfig.json; that is what "aliased" says.
        dependencyTypesNot: ['aliased', 'aliased-tsconfig', 'aliased-workspace', 'npm'],
      },
    },
    {
      name: 'testing-stays-out',
      comment: 'code that users run never imports the test harness',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [notTests, `${coreSource}(testing|simulation)/`] },
      to: { path: `^packages/core/(src|dist)/(testing|simulation)/` },
    },
    {
      name: 'no-path-to-developers-tools',
      comment: 'packages and examples run without this folder',
      severity: 'error',
      from: { path: '^(packages|examples)/', pathNot: [notTests, '/tests?/'] },
      to: { path: '^(dev|bench)/' },
    },
    {
      name: 'resolvable',
      comment: 'every import leads somewhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/dist/', '/\\.dist-', 'tsup\\.config\\.ts$'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'types', 'default'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.cjs', '.d.ts'],
    },
  },
}
