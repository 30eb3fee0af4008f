import { createServer, type Server, type Socket } from 'node:net';
import { BSON, type Document } from 'mongodb';
import { answerTo, takeRequests, type WireRequest } from './mongo-wire.ts';

/** A command that was carried out. */
export interface WireCommand {
  readonly username: string;
  readonly name: string;
  readonly command: Document;
}

interface Cursor {
  readonly namespace: string;
  /** Of a change stream: how many changes of the log are handed out. Else what is left to hand out. */
  place: number;
  readonly documents: Document[] | undefined;
  wake: () => void;
  waiting: boolean;
  killed: boolean;
}

const NO_ANSWER_NEEDED = new Set(['ping', 'endSessions', 'hello', 'ismaster', 'isMaster', 'saslStart']);
const SET_NAME = 'scripted';

/**
 * The parts of a replica set's primary that FerretDB lacks, for tests: transactions, change streams, and a dropped
 * user who may do nothing any more on connections that are open. It follows the public descriptions of the wire
 * protocol and the change stream and transaction specifications; it is not a mongod.
 */
export class MongoWireServer implements AsyncDisposable {
  /** What came from logged-in users, greetings and log-ins left out. */
  readonly commands: WireCommand[] = [];
  /** What is committed, by namespace. */
  readonly collections = new Map<string, Document[]>();
  readonly #users = new Map<string, string>();
  readonly #changes: Document[] = [];
  readonly #cursors = new Map<number, Cursor>();
  readonly #transactions = new Map<string, { namespace: string; documents: Document[] }[]>();
  readonly #gates = new Map<string, { reached: () => void; open: Promise<void> }>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #lastCursor = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#serve(socket));
  }

  static async open(): Promise<MongoWireServer> {
    const wire = new MongoWireServer(createServer());
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get #host(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }

  get uri(): string {
    return `mongodb://${this.#host}/?replicaSet=${SET_NAME}&authMechanism=PLAIN`;
  }

  /** Change streams that wait for the next change now. */
  get waitingStreams(): number {
    return [...this.#cursors.values()].filter(({ waiting }) => waiting).length;
  }

  /** The names of the commands of one user so far, in order. */
  namesOf(username: string): string[] {
    return this.commands.filter((command) => command.username === username).map(({ name }) => name);
  }

  createUser(username: string, password: string): void {
    this.#users.set(username, password);
  }

  dropUser(username: string): void {
    this.#users.delete(username);
  }

  /** Ends every cursor, as a server does for clients that are gone for long. */
  killCursors(): void {
    for (const id of [...this.#cursors.keys()]) this.#kill(id);
  }

  /** Stops the next command of this name; `reached` resolves when it is there, `release` lets it go on. */
  gate(name: string): { readonly reached: Promise<void>; readonly release: () => void } {
    let reached = (): void => undefined;
    let release = (): void => undefined;
    const arrival = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const open = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#gates.set(name, { reached, open });
    return { reached: arrival, release };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    const connection = { username: '' };
    let buffer: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      const taken = takeRequests(Buffer.concat([buffer, chunk]));
      buffer = taken.rest;
      for (const request of taken.requests) void this.#answer(socket, connection, request);
    });
  }

  async #answer(socket: Socket, connection: { username: string }, request: WireRequest): Promise<void> {
    const { command } = request;
    const name = Object.keys(command)[0] ?? '';
    let answer: Document;
    if (name === 'saslStart') answer = this.#login(connection, command);
    else if (/^(hello|ismaster)$/i.test(name)) answer = this.#hello();
    else if (!this.#users.has(connection.username)) answer = failure(13, 'Unauthorized');
    else {
      const gate = this.#gates.get(name);
      this.#gates.delete(name);
      gate?.reached();
      await gate?.open;
      if (!NO_ANSWER_NEEDED.has(name)) this.commands.push({ username: connection.username, name, command });
      answer = await this.#run(name, command);
    }
    if (!socket.destroyed) socket.write(answerTo(request, { ok: 1, ...answer }));
  }

  #hello(): Document {
    const limits = { maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 };
    const set = { setName: SET_NAME, hosts: [this.#host], me: this.#host, primary: this.#host };
    const can = { helloOk: true, minWireVersion: 0, maxWireVersion: 25, logicalSessionTimeoutMinutes: 30 };
    return { ...set, ...limits, ...can, ismaster: true, isWritablePrimary: true, localTime: new Date() };
  }

  #login(connection: { username: string }, { payload }: Document): Document {
    const [, username = '', password = ''] = Buffer.from(payload.buffer).toString('utf8').split('\0');
    if (this.#users.get(username) !== password) return failure(18, 'AuthenticationFailed');
    connection.username = username;
    return { conversationId: 1, done: true, payload: new BSON.Binary() };
  }

  async #run(name: string, command: Document): Promise<Document> {
    switch (name) {
      case 'insert':
        return this.#insert(command);
      case 'commitTransaction':
        for (const { namespace, documents } of this.#takeTransaction(command)) this.#store(namespace, documents);
        return {};
      case 'abortTransaction':
        this.#takeTransaction(command);
        return {};
      case 'find':
        return this.#find(command);
      case 'aggregate':
        return this.#watch(command);
      case 'getMore':
        return this.#getMore(command);
      case 'killCursors':
        for (const id of command.cursors) this.#kill(Number(id));
        return {};
      default:
        return NO_ANSWER_NEEDED.has(name) ? {} : failure(59, 'CommandNotFound');
    }
  }

  #insert(command: Document): Document {
    const namespace = `${command.$db}.${command.insert}`;
    const documents: Document[] = command.documents;
    if (command.autocommit === false) {
      const key = transactionOf(command);
      if (command.startTransaction === true) this.#transactions.set(key, []);
      const transaction = this.#transactions.get(key);
      if (transaction === undefined) return failure(251, 'NoSuchTransaction');
      transaction.push({ namespace, documents });
    } else this.#store(namespace, documents);
    return { n: documents.length };
  }

  #takeTransaction(command: Document): { namespace: string; documents: Document[] }[] {
    const key = transactionOf(command);
    const transaction = this.#transactions.get(key) ?? [];
    this.#transactions.delete(key);
    return transaction;
  }

  #store(namespace: string, documents: readonly Document[]): void {
    this.collections.set(namespace, [...(this.collections.get(namespace) ?? []), ...documents]);
    const [db, coll] = namespace.split('.');
    for (const fullDocument of documents) {
      const _id = tokenOf(this.#changes.length + 1);
      this.#changes.push({ _id, operationType: 'insert', ns: { db, coll }, fullDocument });
    }
    for (const cursor of this.#cursors.values()) cursor.wake();
  }

  #find(command: Document): Document {
    const namespace = `${command.$db}.${command.find}`;
    // No limit is 0.
    const documents = (this.collections.get(namespace) ?? []).slice(0, command.limit || undefined);
    const firstBatch = documents.splice(0, command.batchSize ?? 101);
    const id = documents.length === 0 ? 0 : this.#open({ namespace, place: 0, documents });
    return { cursor: { id: BSON.Long.fromNumber(id), ns: namespace, firstBatch } };
  }

  #watch(command: Document): Document {
    const stage = command.pipeline[0]?.$changeStream;
    if (stage === undefined) return failure(59, 'CommandNotFound');
    const token = stage.resumeAfter ?? stage.startAfter;
    const place = token === undefined ? this.#changes.length : Number(token._data);
    const namespace = `${command.$db}.${command.aggregate}`;
    const id = this.#open({ namespace, place, documents: undefined });
    const cursor = {
      id: BSON.Long.fromNumber(id),
      ns: namespace,
      firstBatch: [],
      postBatchResumeToken: tokenOf(place),
    };
    return { cursor };
  }

  #open(cursor: Pick<Cursor, 'namespace' | 'place' | 'documents'>): number {
    this.#lastCursor += 1;
    this.#cursors.set(this.#lastCursor, { ...cursor, wake: () => undefined, waiting: false, killed: false });
    return this.#lastCursor;
  }

  async #getMore(command: Document): Promise<Document> {
    const id = Number(command.getMore);
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) return failure(43, 'CursorNotFound');
    const { namespace: ns, documents } = cursor;
    if (documents !== undefined) {
      const nextBatch = documents.splice(0, command.batchSize ?? 101);
      if (documents.length === 0) this.#cursors.delete(id);
      return { cursor: { id: BSON.Long.fromNumber(documents.length === 0 ? 0 : id), ns, nextBatch } };
    }
    // A mongod would answer an empty batch after a second; here only a change or the end of the cursor does.
    while (cursor.place === this.#changes.length && !cursor.killed) {
      cursor.waiting = true;
      await new Promise<void>((resolve) => {
        cursor.wake = resolve;
      });
      cursor.waiting = false;
    }
    if (cursor.killed) return failure(237, 'CursorKilled');
    const nextBatch = this.#changes.slice(cursor.place, cursor.place + (command.batchSize ?? 101));
    cursor.place += nextBatch.length;
    const postBatchResumeToken = tokenOf(cursor.place);
    return { cursor: { id: BSON.Long.fromNumber(id), ns, nextBatch, postBatchResumeToken } };
  }

  #kill(id: number): void {
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) return;
    this.#cursors.delete(id);
    cursor.killed = true;
    cursor.wake();
  }
}

function failure(code: number, codeName: string): Document {
  return { ok: 0, code, codeName, errmsg: codeName };
}

function transactionOf({ lsid, txnNumber }: Document): string {
  return `${lsid.id.toString('hex')} ${txnNumber}`;
}

/** The place in the log of changes after its first `place` entries. */
function tokenOf(place: number): Document {
  return { _data: String(place).padStart(8, '0') };
}
