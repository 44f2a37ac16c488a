/** Membership over the driver: each method reads the state or commits one transition. */
import { Effect, Layer, Option, Stream } from "effect"
import { MembersView } from "../domain/model/MembersView.ts"
import type { NodeId } from "../domain/model/Scalars.ts"
import { incarnationOf, masterByAge, memberOf } from "../domain/protocol/ClusterView.ts"
import { forget } from "../domain/protocol/Forget.ts"
import * as Joining from "../domain/protocol/Joining.ts"
import * as Leaving from "../domain/protocol/Leaving.ts"
import { welcome } from "../domain/protocol/Settlement.ts"
import { type Step, transition } from "../domain/protocol/Transition.ts"
import * as ViewUpdate from "../domain/protocol/ViewUpdate.ts"
import type { JoinRequestPayload, LeaveRequestPayload } from "../domain/wire/MembershipMessages.ts"
import { ClusterChannelReceivers } from "../services/ClusterChannels.ts"
import { ClusterDriver } from "../services/ClusterDriver.ts"
import { ForgetRefused, NotMaster, UnknownMember, UpdateRejected } from "../services/ClusterErrors.ts"
import { MembershipService } from "../services/MembershipService.ts"
import { viewOf } from "./driver/Interpreter.ts"

/** The answer to a request that was queued, once the view that admits it is settled. */
const welcomeIfAdmitted = (step: Step, request: JoinRequestPayload): Option.Option<Joining.JoinResponse> => {
  const joined = step.joined
  if (joined === undefined || !joined.settled) return Option.none()
  const member = memberOf(joined.view, request.nodeId)
  return member !== undefined && incarnationOf(member) === (request.incarnation ?? 0)
    ? Option.some(welcome(step, joined))
    : Option.none()
}

/** The membership of the node whose driver is given. */
export const layer: Layer.Layer<MembershipService, never, ClusterDriver | ClusterChannelReceivers> = Layer.effect(
  MembershipService,
  Effect.gen(function* () {
    const driver = yield* ClusterDriver
    const { membershipChanges } = yield* ClusterChannelReceivers
    const currentView = Effect.map(driver.state, viewOf)

    const notMaster = Effect.map(driver.state, ({ phase, self }) => {
      const master = phase._tag === "Joined" ? masterByAge(phase.view)?.nodeId : undefined
      return new NotMaster({ nodeId: self.nodeId, masterId: Option.fromUndefinedOr(master) })
    })

    const handleLeaveRequest = Effect.fn("MembershipService.handleLeaveRequest")(function* (
      request: LeaveRequestPayload
    ) {
      const outcome = yield* driver.commit(transition((step) => Leaving.receive(step, request)))
      if (outcome === "notMaster") return yield* yield* notMaster
      if (outcome !== "queued") return yield* new UnknownMember({ nodeId: request.nodeId })
    })

    return MembershipService.of({
      currentView,
      getMember: (nodeId: NodeId) =>
        Effect.map(currentView, (view) => Option.fromUndefinedOr(MembersView.getMember(view, nodeId))),
      activeMembers: Effect.map(currentView, MembersView.activeMembers),
      handleJoinRequest: Effect.fn("MembershipService.handleJoinRequest")(function* (request) {
        const outcome = yield* driver.commit(transition((step) => Joining.receive(step, request, () => undefined)))
        if (outcome._tag === "Answered") return outcome.response
        const admitted = driver.commit(transition((step) => welcomeIfAdmitted(step, request)))
        const answer = yield* membershipChanges.pipe(
          Stream.mapEffect(() => admitted),
          Stream.filter(Option.isSome),
          Stream.runHead
        )
        return Option.getOrThrow(Option.flatten(answer))
      }),
      handleLeaveRequest,
      removeMember: Effect.fn("MembershipService.removeMember")(function* (nodeId) {
        yield* handleLeaveRequest({ nodeId, reason: Option.some("removed by an operator") })
      }),
      forget: Effect.fn("MembershipService.forget")(function* (nodeIds) {
        const outcome = yield* driver.commit(transition((step) => forget(step, nodeIds)))
        if (outcome._tag === "Forgotten") return
        const { self } = yield* driver.state
        const nodeId = "nodeId" in outcome ? outcome.nodeId : self.nodeId
        return yield* new ForgetRefused({ nodeId, reason: outcome._tag })
      }),
      applyMembersUpdate: Effect.fn("MembershipService.applyMembersUpdate")(function* (from, update) {
        const outcome = yield* driver.commit(transition((step) => ViewUpdate.receive(step, from, update)))
        if (outcome === "older" || outcome === "foreignLineage" || outcome === "notJoined") {
          return yield* new UpdateRejected({ from, reason: outcome })
        }
      })
    })
  })
)
