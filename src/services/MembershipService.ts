/** Who is in the cluster, and how members come and go. */
import { Context, type Effect, type Option } from "effect"
import type { MemberInfo } from "../domain/model/MemberInfo.ts"
import type { MembersView } from "../domain/model/MembersView.ts"
import type { NodeId } from "../domain/model/Scalars.ts"
import type {
  JoinRequestPayload,
  JoinResponsePayload,
  LeaveRequestPayload,
  MembersUpdatePayload
} from "../domain/wire/MembershipMessages.ts"
import type { ForgetRefused, NotMaster, UnknownMember, UpdateRejected } from "./ClusterErrors.ts"

export class MembershipService extends Context.Service<
  MembershipService,
  {
    /** The view that this node holds; version 0 and no members while it holds none. */
    readonly currentView: Effect.Effect<MembersView>
    readonly getMember: (nodeId: NodeId) => Effect.Effect<Option.Option<MemberInfo>>
    readonly activeMembers: Effect.Effect<ReadonlyArray<MemberInfo>>
    /** Admits a process, or says why not. Completes when the view that admits it is settled. */
    readonly handleJoinRequest: (request: JoinRequestPayload) => Effect.Effect<JoinResponsePayload>
    /** Lets a member go. The view without it follows. */
    readonly handleLeaveRequest: (request: LeaveRequestPayload) => Effect.Effect<void, NotMaster | UnknownMember>
    /** Puts a member out. If its process lives it rejoins as a new one. */
    readonly removeMember: (nodeId: NodeId) => Effect.Effect<void, NotMaster | UnknownMember>
    /**
     * Goes on without members that will never come back, on the word of an operator: for a quorum that was lost in
     * silence. Name all of them. If they live after all, there are two clusters until they meet and merge.
     */
    readonly forget: (nodeIds: ReadonlyArray<NodeId>) => Effect.Effect<void, ForgetRefused>
    /** Takes a view that `from` sends. */
    readonly applyMembersUpdate: (from: NodeId, update: MembersUpdatePayload) => Effect.Effect<void, UpdateRejected>
  }
>()("effect-squadron/MembershipService") {}
