import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { say } from '../bootstrap/paths.mjs'
import { cached } from './cached.ts'
import { execute } from './execute.ts'
import { requirePrograms } from './missing.ts'

export const KAFKA_VERSION = '4.1.1'

/** Kafka's jars from Maven Central. @returns the folder that holds them */
export async function kafkaFiles(): Promise<string> {
  await requirePrograms('Kafka', 'KAFKA_BROKERS', ['java'])
  const folder = await cached(`kafka-${KAFKA_VERSION}`, async (part) => {
    await requirePrograms('Kafka', 'KAFKA_BROKERS', ['mvn'])
    say(`fetching Kafka ${KAFKA_VERSION} with Maven (about 45 MB, some 15 s)`)
    writeFileSync(
      join(part, 'pom.xml'),
      projectOf([
        ['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION],
        // Without a log4j binding Kafka is silent, and a broker that doesn't start says nothing.
        ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.24.3'],
      ]),
    )
    await execute('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=jars'], { cwd: part })
  })
  return join(folder, 'jars')
}

function projectOf(dependencies: readonly (readonly [group: string, artifact: string, version: string])[]): string {
  const entries = dependencies.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  )
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>waybill</groupId><artifactId>test-servers</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${entries.join('\n    ')}
  </dependencies>
</project>
`
}
