/**
 * Where the agent of `npm run bench:agent` ships to: takes OTLP logs and remote write over HTTP, throws the bytes away, and
 * counts the records of logs. It shares the machine with the agent, and is not counted in its CPU seconds.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { zstdDecompressSync } from 'node:zlib';

export interface AgentSink extends AsyncDisposable {
  readonly url: string;
  /** Records of logs so far. */
  records(): number;
  /** Requests of any kind, and their bytes as they came. */
  requests(): number;
  bytes(): number;
}

export async function startAgentSink(): Promise<AgentSink> {
  let records = 0;
  let requests = 0;
  let bytes = 0;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    bytes += body.length;
    requests++;
    if (request.url === '/v1/logs') {
      const isZstd = request.headers['content-encoding'] === 'zstd';
      records += countRecords(isZstd ? zstdDecompressSync(body) : body);
    }
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  };
  const server = createServer((request, response) => {
    take(request, response).catch((error: unknown) => {
      console.error('the sink failed', error);
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    records: () => records,
    requests: () => requests,
    bytes: () => bytes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// ExportLogsServiceRequest => 1:ResourceLogs*   ResourceLogs => 2:ScopeLogs*   ScopeLogs => 2:LogRecord*
function countRecords(bytes: Uint8Array): number {
  let count = 0;
  for (const [field, from, to] of fields(bytes, 0, bytes.length)) {
    if (field !== 1) continue;
    for (const [inner, scopeFrom, scopeTo] of fields(bytes, from, to)) {
      if (inner !== 2) continue;
      for (const [record] of fields(bytes, scopeFrom, scopeTo)) if (record === 2) count++;
    }
  }
  return count;
}

/** The length-delimited fields of a message; the agent writes no others at these levels. */
function* fields(bytes: Uint8Array, from: number, to: number): Generator<[number, number, number]> {
  let position = from;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[position++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < to) {
    const tag = varint();
    const length = varint();
    yield [tag >>> 3, position, position + length];
    position += length;
  }
}
