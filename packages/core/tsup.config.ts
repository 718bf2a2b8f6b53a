import { defineConfig } from 'tsup'
import { library } from '../../tsup.base.ts'

export default defineConfig(
  library({
    index: 'src/index.ts',
    cli: 'src/command/cli.ts',
    'asyncapi/index': 'src/asyncapi/index.ts',
    'avro/index': 'src/avro/index.ts',
    'command/index': 'src/command/index.ts',
    'memory/index': 'src/memory/index.ts',
    'opentelemetry/index': 'src/opentelemetry/index.ts',
    'protobuf/index': 'src/protobuf/index.ts',
    'testing/index': 'src/testing/index.ts',
  }),
)
