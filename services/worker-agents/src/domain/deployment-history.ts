/** One image that was current, and the ticket that made it so; an empty one stands for somebody else. */
export interface DeployedImage {
  readonly ticket: string;
  readonly image: string;
}

/** Oldest first; the last one is current. Empty: nothing of ours is there any more. */
export type DeploymentHistory = readonly DeployedImage[];

const KEPT = 10;

/** What was current before this ticket, whichever of its attempts made its image so. */
export function previousOf(history: DeploymentHistory, ticket: string): string | undefined {
  return history.filter((entry) => entry.ticket !== ticket).at(-1)?.image;
}

export function withDeployed(history: DeploymentHistory, deployed: DeployedImage): DeploymentHistory {
  return [...history.filter(({ ticket }) => ticket !== deployed.ticket), deployed].slice(-KEPT);
}

/** `switched`: another image is current now; `superseded`: it was current no more; `already`: it is not there. */
export type UndoneDeployment = 'switched' | 'superseded' | 'already';

/** Without what the ticket deployed. A release that came later stays current, and goes back past the undone one. */
export function withoutDeployed(
  history: DeploymentHistory,
  ticket: string,
): { readonly history: DeploymentHistory; readonly done: UndoneDeployment } {
  const left = history.filter((entry) => entry.ticket !== ticket);
  if (left.length === history.length) return { history, done: 'already' };
  return { history: left, done: history.at(-1)?.ticket === ticket ? 'switched' : 'superseded' };
}
