import type { ClientSession, ClientSessionOptions } from 'mongodb';
import { type ClientHold, type ClientUses, whileHeld } from './client-uses.ts';

/**
 * A session of the driver that keeps its client until it ends. Operations of the facade that name it run on that
 * client. What the session itself sends fails with the typed error when the client is taken away.
 */
export function startSession(uses: ClientUses, options: ClientSessionOptions | undefined): ClientSession {
  const hold = uses.hold();
  try {
    const session = hold.resource.startSession(options);
    uses.bind(session, hold);
    explainFailures(session, hold);
    return session;
  } catch (error) {
    hold.release();
    throw error;
  }
}

export async function withSession<X>(
  uses: ClientUses,
  options: ClientSessionOptions | undefined,
  work: (session: ClientSession) => Promise<X>,
): Promise<X> {
  const session = startSession(uses, options);
  try {
    return await work(session);
  } finally {
    await session.endSession();
  }
}

/** On the session itself and not on a copy: the driver knows its sessions by identity. */
function explainFailures(session: ClientSession, hold: ClientHold): void {
  const commit = session.commitTransaction.bind(session);
  const abort = session.abortTransaction.bind(session);
  const run = session.withTransaction.bind(session);
  // Inside `withTransaction` the driver judges the errors of a commit by the labels that its own errors have.
  let judging = 0;
  session.commitTransaction = (options) => (judging > 0 ? commit(options) : whileHeld(hold, () => commit(options)));
  session.abortTransaction = (options) => (judging > 0 ? abort(options) : whileHeld(hold, () => abort(options)));
  session.withTransaction = async (work, options) => {
    judging += 1;
    try {
      return await whileHeld(hold, () => run(work, options));
    } finally {
      judging -= 1;
    }
  };
}
