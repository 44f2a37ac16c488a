/** The router over the driver: who owns a key, who waits for a reply, and what is handled here. */
import { Clock, Deferred, Effect, FiberSet, Layer, Option, Queue, Result, Stream } from "effect"
import { isWithinUtf8, maxKeyBytes } from "../domain/data/DataBounds.ts"
import type { Incarnation, NodeId } from "../domain/model/Scalars.ts"
import { hashToPartition } from "../domain/placement/HashToPartition.ts"
import type { ClusterState } from "../domain/protocol/ClusterState.ts"
import { incarnationOf, memberAs, memberOf } from "../domain/protocol/ClusterView.ts"
import * as Mesh from "../domain/protocol/Mesh.ts"
import { type Step, transition } from "../domain/protocol/Transition.ts"
import { type Refusal, type RouterMessage, routerId, routerMessageCodec } from "../domain/routing/RouterMessage.ts"
import type { ClusterMessageOf } from "../domain/wire/ClusterMessage.ts"
import { ClusterDriver } from "../services/ClusterDriver.ts"
import { UnknownPartition } from "../services/ClusterErrors.ts"
import { ClusterPartitionService } from "../services/ClusterPartitionService.ts"
import { NotOwner, OutcomeUnknown, Overloaded, PartitionUnavailable } from "../services/MapErrors.ts"
import {
  maxHandled,
  maxPayloadBytes,
  maxSends,
  PartitionRouter,
  type Routed,
  type SendError
} from "../services/PartitionRouter.ts"
import { DuplicateRoute, MessageTooLarge, NoHandler, UndecodableMessage } from "../services/RouterErrors.ts"

const defaultTimeoutMs = 5000
/** How long after a refusal that may pass a message is sent again. */
const retryMs = 30

type Reply = Exclude<RouterMessage, { readonly type: "request" }>
/** What has become of a message at its owner. */
type Handled =
  | { readonly type: "handled"; readonly payload: Uint8Array }
  | { readonly type: "refused"; readonly reason: Refusal; readonly detail: string }
  | { readonly type: "died" }
const died: Handled = { type: "died" }

type Fate = Reply | { readonly type: "lost" }

interface Waiting {
  readonly fate: Deferred.Deferred<Fate>
  to: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
}

type Place =
  | { readonly _tag: "Here" }
  | { readonly _tag: "Sent" }
  | { readonly _tag: "Nowhere"; readonly detail: string }

/** Does this very process own the partition, as far as it knows, and may it act? */
const owns = ({ phase, self, split }: ClusterState, partitionId: number): boolean =>
  phase._tag === "Joined" &&
  split.haltedSinceMs === undefined &&
  memberAs(phase.view, self) !== undefined &&
  phase.table.rows[partitionId]?.owner === self.nodeId

/** Why a message cannot travel under these names. */
const brokenName = (route: string, key: string): string | undefined => {
  if (!route.isWellFormed() || !key.isWellFormed()) return "its route or its key has a lone surrogate"
  return isWithinUtf8(route, maxKeyBytes) && isWithinUtf8(key, maxKeyBytes)
    ? undefined
    : `its route or its key takes more than ${maxKeyBytes} bytes of UTF-8`
}

const forward = (self: NodeId, partitionId: number, message: RouterMessage): ClusterMessageOf<"OP_FORWARD"> => ({
  type: "OP_FORWARD",
  sourceNodeId: self,
  targetPartitionId: partitionId,
  clientId: Option.some(routerId),
  payload: routerMessageCodec.encode(message)
})

const make = Effect.gen(function* () {
  const driver = yield* ClusterDriver
  const { getPartitionMap } = yield* ClusterPartitionService
  const { node, self } = yield* driver.state
  const waiting = new Map<number, Waiting>()
  const handlers = new Map<string, (message: Routed<Uint8Array>) => Effect.Effect<Result.Result<Uint8Array, string>>>()
  const fork = yield* FiberSet.runtime(yield* FiberSet.make<void>())()
  let lastId = 0
  let handled = 0

  // ---- handling -------------------------------------------------------------------------------------

  const handle = (routed: Routed<Uint8Array>, route: string): Effect.Effect<Handled> =>
    Effect.suspend((): Effect.Effect<Handled> => {
      const handler = handlers.get(route)
      const refused = (reason: Refusal, detail = "") => Effect.succeed<Handled>({ type: "refused", reason, detail })
      if (handler === undefined) return refused("noHandler")
      if (handled >= maxHandled) return refused("overloaded", `${maxHandled} messages are being handled`)
      handled++
      return handler(routed).pipe(
        Effect.map((reply): Handled =>
          Result.isSuccess(reply)
            ? { type: "handled", payload: reply.success }
            : { type: "refused", reason: "malformed", detail: reply.failure }
        ),
        Effect.catchDefect((defect) => Effect.as(Effect.logError(`the handler of "${route}" died`, defect), died)),
        Effect.ensuring(Effect.sync(() => void handled--))
      )
    })

  const answer = Effect.fnUntraced(function* (
    from: NodeId,
    request: Extract<RouterMessage, { readonly type: "request" }>,
    isMember: boolean
  ) {
    const { id, key, payload, route } = request
    const state = yield* driver.state
    const partitionId = hashToPartition(key, node.partitionCount)
    const isOurs = isMember && request.to === state.self.incarnation && owns(state, partitionId)
    const outcome = isOurs
      ? yield* handle({ key, partitionId, from, payload }, route)
      : ({ type: "refused", reason: "notOwner", detail: "" } as const)
    const reply: Reply = { ...outcome, id, from: request.to, to: request.from }
    yield* driver.commit(transition((step) => Mesh.sendTo(step, from, forward(self.nodeId, partitionId, reply))))
  })

  yield* driver.onForward(routerId, (from, { payload }, isMember) => {
    const decoded = routerMessageCodec.decode(payload)
    if (Result.isFailure(decoded)) {
      fork(Effect.logWarning(`${from} sends what is no message of a router: ${decoded.failure.message}`))
    } else if (decoded.success.type === "request") fork(answer(from, decoded.success, isMember))
    else if (isMember) {
      const waits = waiting.get(decoded.success.id)
      if (waits?.to?.nodeId === from) Deferred.doneUnsafe(waits.fate, Effect.succeed(decoded.success))
    }
  })

  // ---- sending --------------------------------------------------------------------------------------

  // Through the driver's outbox, so that it comes after what opens a connection.
  const place = (
    step: Step,
    partitionId: number,
    waits: Waiting,
    requestTo: (to: Incarnation) => RouterMessage
  ): Place => {
    const { joined, state } = step
    const owner = joined?.table.rows[partitionId]?.owner
    if (joined === undefined || owner === undefined) return { _tag: "Nowhere", detail: "no owner is known" }
    if (memberAs(joined.view, state.self) === undefined) {
      return { _tag: "Nowhere", detail: "this node is out of the cluster" }
    }
    if (owner === state.self.nodeId) {
      return owns(state, partitionId) ? { _tag: "Here" } : { _tag: "Nowhere", detail: "this node has no say" }
    }
    const member = memberOf(joined.view, owner)
    if (member === undefined || !Mesh.isLinked(step, owner)) {
      return { _tag: "Nowhere", detail: `${owner} cannot be reached` }
    }
    const incarnation = incarnationOf(member)
    waits.to = { nodeId: owner, incarnation }
    Mesh.sendTo(step, owner, forward(state.self.nodeId, partitionId, requestTo(incarnation)))
    return { _tag: "Sent" }
  }

  const attempt = Effect.fnUntraced(function* (
    id: number,
    waits: Waiting,
    route: string,
    routed: Routed<Uint8Array>,
    leftMs: number
  ): Effect.fn.Return<Fate | { readonly type: "nowhere"; readonly detail: string } | { readonly type: "late" }> {
    const { key, partitionId, payload } = routed
    const where = yield* driver.commit(
      transition((step) =>
        place(step, partitionId, waits, (to) => ({
          type: "request",
          from: step.state.self.incarnation,
          to,
          id,
          route,
          key,
          payload
        }))
      )
    )
    if (where._tag === "Nowhere") return { type: "nowhere", detail: where.detail }
    if (where._tag === "Here") {
      const outcome = yield* Effect.timeoutOption(handle(routed, route), leftMs)
      return Option.isNone(outcome) ? { type: "late" } : { ...outcome.value, id, from: 0, to: 0 }
    }
    const fate = yield* Effect.timeoutOption(Deferred.await(waits.fate), leftMs)
    return Option.getOrElse(fate, () => ({ type: "late" }) as const)
  })

  const send = Effect.fn("PartitionRouter.send")(function* (
    route: string,
    key: string,
    payload: Uint8Array,
    { timeoutMs = defaultTimeoutMs }: { readonly timeoutMs?: number } = {}
  ): Effect.fn.Return<Uint8Array, SendError> {
    const clock = yield* Clock.Clock
    const nowMs = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const deadlineMs = nowMs() + timeoutMs
    const partitionId = hashToPartition(key, node.partitionCount)
    const broken = brokenName(route, key)
    if (broken !== undefined) {
      return yield* new UndecodableMessage({ route, key: key.slice(0, 80), what: "request", reason: broken })
    }
    if (payload.length > maxPayloadBytes) {
      return yield* new MessageTooLarge({ route, bytes: payload.length, limit: maxPayloadBytes })
    }
    if (waiting.size >= maxSends) {
      return yield* new Overloaded({ partitionId, detail: `${maxSends} messages wait for their replies` })
    }
    const routed = { key, partitionId, from: self.nodeId, payload }
    let last: SendError = new PartitionUnavailable({ partitionId, detail: "no owner was found in time" })
    for (let leftMs = timeoutMs; leftMs > 0; leftMs = deadlineMs - nowMs()) {
      const id = ++lastId
      const waits: Waiting = { fate: Deferred.makeUnsafe(), to: undefined }
      waiting.set(id, waits)
      const fate = yield* attempt(id, waits, route, routed, leftMs).pipe(
        Effect.ensuring(Effect.sync(() => waiting.delete(id)))
      )
      switch (fate.type) {
        case "handled":
          return fate.payload
        case "died":
          return yield* new OutcomeUnknown({ partitionId, detail: "its handler died" })
        case "late":
          return yield* new OutcomeUnknown({ partitionId, detail: "no reply in time" })
        case "lost":
          return yield* new OutcomeUnknown({ partitionId, detail: "the owner was lost before its reply" })
        case "nowhere":
          last = new PartitionUnavailable({ partitionId, detail: fate.detail })
          break
        case "refused":
          if (fate.reason === "malformed") {
            return yield* new UndecodableMessage({ route, key, what: "request", reason: fate.detail })
          }
          if (fate.reason === "overloaded") last = new Overloaded({ partitionId, detail: fate.detail })
          else if (fate.reason === "noHandler") last = new NoHandler({ route, partitionId })
          else last = new NotOwner({ partitionId, partitionMap: yield* getPartitionMap })
      }
      yield* Effect.sleep(retryMs)
    }
    return yield* last
  })

  // A message gets no reply when no connection is left. Who stands still keeps them, until it is put out.
  yield* driver.onChange(({ mesh, phase }) => {
    for (const { fate, to } of waiting.values()) {
      if (to === undefined) continue
      const isLinked = mesh.links.has(to.nodeId)
      if (isLinked && phase._tag === "Joined" && memberAs(phase.view, to) !== undefined) continue
      Deferred.doneUnsafe(fate, Effect.succeed({ type: "lost" }))
    }
  })

  // ---- owning ---------------------------------------------------------------------------------------

  const whileOwner = <A, E, R>(partitionId: number, effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const { partitionCount } = node
      if (!Number.isInteger(partitionId) || partitionId < 0 || partitionId >= partitionCount) {
        return yield* new UnknownPartition({ partitionId, partitionCount })
      }
      // Only what is now counts, not what has been meanwhile.
      const seen = yield* Queue.sliding<ClusterState>(1)
      yield* driver.onChange((state) => Queue.offerUnsafe(seen, state))
      yield* Queue.offer(seen, yield* driver.state)
      yield* Stream.fromQueue(seen).pipe(
        // A process that was put out and has come back is another.
        Stream.map((state) => (owns(state, partitionId) ? state.self.incarnation : undefined)),
        Stream.changes,
        Stream.switchMap((owner) => (owner === undefined ? Stream.empty : Stream.fromEffect(Effect.scoped(effect)))),
        Stream.runDrain
      )
      return yield* Effect.never
    }).pipe(Effect.scoped)

  return PartitionRouter.of({
    send,
    handle: (route, handler) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.suspend(() => {
            if (handlers.has(route)) return Effect.fail(new DuplicateRoute({ route }))
            return Effect.sync(() => handlers.set(route, handler))
          }),
          () => Effect.sync(() => handlers.delete(route))
        )
      ),
    whileOwner
  })
})

/** The router of the node whose driver is given. */
export const layer: Layer.Layer<PartitionRouter, never, ClusterDriver | ClusterPartitionService> = Layer.effect(
  PartitionRouter,
  make
)
