import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { compileStep } from './compiled-client.ts'
import { missingPackages, type Probes } from './debian-packages.ts'
import type { ForeignClient, Target } from './foreign-client.ts'
import { startLineProgram } from './line-program.ts'

/** Debian's own, which is new enough for the program; another may come first in PATH. */
const JAVA = '/usr/bin/java'
const JAVAC = '/usr/bin/javac'
const PLUGIN = '/usr/bin/grpc_java_plugin'
const LIST = '/usr/bin/ls'
const PROGRAM = new URL('JavaClient.java', import.meta.url).pathname

/** What stubs and program need, by the Debian package that has it. None of them depends on another. */
const JARS: Readonly<Record<string, readonly string[]>> = {
  'libgrpc-java': [
    'grpc-api',
    'grpc-context',
    'grpc-core',
    'grpc-netty',
    'grpc-protobuf',
    'grpc-protobuf-lite',
    'grpc-stub',
  ],
  // Debian's protobuf-util holds protobuf too.
  'libprotobuf-java': ['protobuf-util'],
  'libnetty-java': [
    'netty-buffer',
    'netty-codec',
    'netty-codec-http',
    'netty-codec-http2',
    'netty-common',
    'netty-handler',
    'netty-resolver',
    'netty-transport',
  ],
  'libguava-java': ['guava'],
  'libgoogle-gson-java': ['gson'],
  'libperfmark-java': ['perfmark-api'],
  // The stubs carry javax.annotation.Generated, which Java itself no longer has.
  'libgeronimo-annotation-1.3-spec-java': ['geronimo-annotation-1.3-spec'],
}
const CLASS_PATH = Object.values(JARS).flat().map(jar)

/** The Debian packages that are missing for {@link compileJavaClient} and {@link startJavaClient}. */
export function missingForJava(): Promise<string[]> {
  return missingPackages({
    'openjdk-17-jdk-headless': [JAVAC, '--version'],
    'protobuf-compiler': ['protoc', '--version'],
    // Without input it has nothing to generate, and says so with success.
    'protobuf-compiler-grpc-java-plugin': [PLUGIN],
    ...Object.fromEntries(
      Object.entries(JARS).map(([name, jars]): [string, Probes[string]] => [name, [LIST, ...jars.map(jar)]]),
    ),
  })
}

/**
 * Generates the stubs, as a Java user does, and compiles a program that calls through them.
 *
 * @param folder takes what is made
 * @returns the class path of the program
 */
export async function compileJavaClient(folder: string): Promise<string> {
  const stubs = join(folder, 'stubs')
  const classes = join(folder, 'classes')
  mkdirSync(stubs)
  await generate(stubs)
  await compileStep(JAVAC, ['-d', classes, '-sourcepath', stubs, '-classpath', CLASS_PATH.join(':'), PROGRAM])
  return [classes, ...CLASS_PATH].join(':')
}

/** A client of grpc-java, in one process for all calls, because Java starts slowly. */
export function startJavaClient(classPath: string, { grpcAddress }: Target): ForeignClient {
  const { ask, close } = startLineProgram(JAVA, ['-classpath', classPath, 'JavaClient', grpcAddress])
  return {
    close,
    async call(method, request, token) {
      return JSON.parse(await ask(JSON.stringify({ method, token, request })))
    },
  }
}

async function generate(folder: string): Promise<void> {
  await compileStep('protoc', [
    '--proto_path=proto',
    '--proto_path=node_modules/google-proto-files',
    `--plugin=protoc-gen-grpc-java=${PLUGIN}`,
    `--java_out=${folder}`,
    `--grpc-java_out=${folder}`,
    'tokenbroker/v1/token_broker.proto',
    'tokenbroker/v1/admin.proto',
    'google/rpc/status.proto',
    'google/rpc/error_details.proto',
  ])
}

function jar(name: string): string {
  return `/usr/share/java/${name}.jar`
}
