/**
 * LiveKit offers nothing at all to a server whose workers have all reached its target, by default 0.7 (`agents.target_load`;
 * `JobRequestAffinity` in its agentservice.go): a process with 35 of 50 chats would get no more, and so never reach the
 * number at which another one is started.
 */
const BELOW_TARGET = 0.5;

/**
 * What a worker or a process tells LiveKit of its load, so that it is offered conversations until its last place is taken.
 *
 * @param taken part of its places that are taken, 0 to 1
 */
export function reportedLoad(taken: number): number {
  return taken >= 1 ? 1 : Math.max(0, taken) * BELOW_TARGET;
}
