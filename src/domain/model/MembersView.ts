/** A version of the member list, and what follows from it: who is master, who is active. */
import { Schema } from "effect"
import { compareCodePoints } from "./CodePointOrder.ts"
import { MemberInfo } from "./MemberInfo.ts"
import { type NodeId, U64 } from "./Scalars.ts"

const schema = Schema.Struct({ version: U64, members: Schema.Array(MemberInfo) })

export type MembersView = typeof schema.Type

/** Older first: by `joinVersion`, ties by node id. Negative when `a` is older. */
export const compareAge = (
  a: Pick<MemberInfo, "joinVersion" | "nodeId">,
  b: Pick<MemberInfo, "joinVersion" | "nodeId">
): number => a.joinVersion - b.joinVersion || compareCodePoints(a.nodeId, b.nodeId)

/** The master by age: the oldest active member, or `undefined` when nobody is active. */
const master = (view: MembersView): MemberInfo | undefined => {
  let oldest: MemberInfo | undefined
  for (const member of view.members) {
    if (member.state === "active" && (oldest === undefined || compareAge(member, oldest) < 0)) oldest = member
  }
  return oldest
}

const isMaster = (view: MembersView, nodeId: NodeId): boolean => master(view)?.nodeId === nodeId

const activeMembers = (view: MembersView): ReadonlyArray<MemberInfo> =>
  view.members.filter((member) => member.state === "active")

const getMember = (view: MembersView, nodeId: NodeId): MemberInfo | undefined =>
  view.members.find((member) => member.nodeId === nodeId)

export const MembersView = Object.assign(schema, { master, isMaster, activeMembers, getMember })
