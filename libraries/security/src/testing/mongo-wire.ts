import { BSON, type Document } from 'mongodb';

/** A command as it came over the wire, its document sequences put in. */
export interface WireRequest {
  readonly id: number;
  /** Whether it has to be answered in the form of before OP_MSG, which the driver uses to greet. */
  readonly legacy: boolean;
  readonly command: Document;
}

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER_BYTES = 16;

/** Takes the whole messages off the front of `buffer`. */
export function takeRequests(buffer: Buffer): { requests: WireRequest[]; rest: Buffer } {
  const requests: WireRequest[] = [];
  let rest = buffer;
  while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
    const length = rest.readInt32LE(0);
    requests.push(parse(rest.subarray(0, length)));
    rest = rest.subarray(length);
  }
  return { requests, rest };
}

/** The bytes of an answer to `request`. */
export function answerTo({ id, legacy }: WireRequest, answer: Document): Buffer {
  const body = BSON.serialize(answer);
  // OP_REPLY: flags, cursor id, first number, count. OP_MSG: flags and the kind of the only section.
  const prefix = Buffer.alloc(legacy ? 20 : 5);
  if (legacy) prefix.writeInt32LE(1, 16);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeInt32LE(HEADER_BYTES + prefix.length + body.length, 0);
  header.writeInt32LE(id, 8);
  header.writeInt32LE(legacy ? OP_REPLY : OP_MSG, 12);
  return Buffer.concat([header, prefix, body]);
}

function parse(message: Buffer): WireRequest {
  const id = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === OP_QUERY) {
    const nameEnd = message.indexOf(0, HEADER_BYTES + 4);
    return { id, legacy: true, command: documentAt(message, nameEnd + 1 + 8) };
  }
  if (opCode !== OP_MSG) throw new Error(`opcode ${opCode} is not spoken here`);
  let command: Document = {};
  for (let at = HEADER_BYTES + 4; at < message.length; ) {
    const kind = message[at];
    const size = message.readInt32LE(at + 1);
    if (kind === 0) command = { ...command, ...documentAt(message, at + 1) };
    else Object.assign(command, sequenceAt(message, at + 1, size));
    at += 1 + size;
  }
  return { id, legacy: false, command };
}

function documentAt(message: Buffer, at: number): Document {
  return BSON.deserialize(message.subarray(at, at + message.readInt32LE(at)));
}

/** `{ name: [documents] }` of a section of kind 1. */
function sequenceAt(message: Buffer, start: number, size: number): Document {
  const nameEnd = message.indexOf(0, start + 4);
  const documents: Document[] = [];
  for (let at = nameEnd + 1; at < start + size; at += message.readInt32LE(at)) documents.push(documentAt(message, at));
  return { [message.toString('utf8', start + 4, nameEnd)]: documents };
}
