/** One child process: its lines, its end, and the signals that it gets. Killed when its scope closes. */
import { Effect, Fiber, type Option, type PlatformError, Queue, Schema, type Scope, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

/** The operating system could not start the process. */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>()("SpawnFailed", {
  command: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `cannot start ${this.command}: ${this.reason}`
  }
}

export interface Program {
  /** Executable and first arguments, to which a node's own are added. */
  readonly command: string
  readonly args: ReadonlyArray<string>
}

/** How a process ended: with this exit code, or none if a signal ended it. */
export type End = Option.Option<number>

export interface Listener {
  readonly onOutput: (line: string) => Effect.Effect<void>
  readonly onLog: (line: string) => Effect.Effect<void>
  /** After the last line, unless something else still holds the process's output open. */
  readonly onEnd: (end: End) => Effect.Effect<void>
}

export interface NodeProcess {
  readonly pid: number
  /** Tells the listener everything since the start; for one call. */
  readonly listen: (listener: Listener) => Effect.Effect<void, never, Scope.Scope>
  /** Writes a line to its stdin, after those before. False if too many wait: then the line is not written. */
  readonly send: (line: string) => boolean
  /** SIGSTOP: it stands still until `thaw`, SIGCONT. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** SIGKILL; completes when the process is gone. */
  readonly kill: Effect.Effect<void>
  /** SIGTERM; completes when the process is gone, in whatever way. */
  readonly terminate: Effect.Effect<void>
}

/** Lines that wait until the process reads them. */
const maxWaitingLines = 1024
/** Milliseconds that the last lines of an ended process may take. */
const lastLinesMs = 1000

const lines = (bytes: Stream.Stream<Uint8Array, PlatformError.PlatformError>): Stream.Stream<string> =>
  bytes.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    // A pipe that breaks ends the lines; the end of the process is told elsewhere.
    Stream.catchCause(() => Stream.empty)
  )

// A process that has ended cannot be signalled; how it ended is told elsewhere.
const pause = (pid: number, signal: "SIGSTOP" | "SIGCONT"): Effect.Effect<void> =>
  Effect.asVoid(Effect.result(Effect.try(() => process.kill(pid, signal))))

/** Starts the process; its stdin stays open as long as this process lives. */
export const spawn = Effect.fnUntraced(function* (
  program: Program,
  args: ReadonlyArray<string>
): Effect.fn.Return<NodeProcess, SpawnFailed, Scope.Scope | ChildProcessSpawner.ChildProcessSpawner> {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const command = ChildProcess.make(program.command, [...program.args, ...args], {
    killSignal: "SIGKILL",
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe"
  })
  const handle = yield* spawner
    .spawn(command)
    .pipe(Effect.mapError((error) => new SpawnFailed({ command: program.command, reason: error.message })))

  const listen = Effect.fnUntraced(function* (listener: Listener) {
    const output = Stream.runForEach(lines(handle.stdout), listener.onOutput)
    const log = Stream.runForEach(lines(handle.stderr), listener.onLog)
    const reading = yield* Effect.forkScoped(Effect.all([output, log], { concurrency: "unbounded", discard: true }))
    yield* handle.exitCode.pipe(
      Effect.option,
      Effect.tap(() => Effect.timeoutOption(Fiber.join(reading), lastLinesMs)),
      Effect.flatMap(listener.onEnd),
      Effect.forkScoped
    )
  })
  const input = yield* Queue.dropping<string>(maxWaitingLines)
  yield* Stream.fromQueue(input).pipe(
    Stream.map((line) => `${line}\n`),
    Stream.encodeText,
    Stream.run(handle.stdin),
    // A process that has ended reads nothing any more.
    Effect.exit,
    Effect.forkScoped
  )
  // A process that has ended by itself cannot be signalled any more, and need not be.
  const signalled = (killSignal: "SIGKILL" | "SIGTERM") =>
    handle.kill({ killSignal }).pipe(Effect.result, Effect.asVoid)
  return {
    pid: handle.pid,
    listen,
    send: (line) => Queue.offerUnsafe(input, line),
    freeze: pause(handle.pid, "SIGSTOP"),
    thaw: pause(handle.pid, "SIGCONT"),
    kill: signalled("SIGKILL"),
    terminate: signalled("SIGTERM")
  }
})
