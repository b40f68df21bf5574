/**
 * An S3 service of one process, in memory, as far as ClickHouse's BACKUP and RESTORE use one: objects and multipart
 * uploads with path-style addresses. Signatures are not checked. Everything in the bucket `forbidden` is refused.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface S3Service {
  readonly url: string;
  readonly objects: ReadonlyMap<string, Buffer>;
  /** The Authorization headers that were sent. */
  readonly authorizations: ReadonlySet<string>;
  close(): Promise<void>;
}

const xmlNamespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

export async function startS3Service(): Promise<S3Service> {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, Map<number, Buffer>>();
  const authorizations = new Set<string>();
  const server = createServer((request, response) => {
    authorizations.add(String(request.headers.authorization));
    const url = new URL(request.url ?? '/', 'http://s3');
    answer({ objects, uploads }, request, url, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    authorizations,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Content {
  readonly objects: Map<string, Buffer>;
  readonly uploads: Map<string, Map<number, Buffer>>;
}

async function answer(
  { objects, uploads }: Content,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const key = decodeURIComponent(url.pathname);
  const body = await readBody(request);
  const uploadId = url.searchParams.get('uploadId');
  if (key.startsWith('/forbidden/')) {
    const text = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
    response.writeHead(403, { 'Content-Type': 'application/xml' }).end(text);
    return;
  }
  switch (request.method) {
    case 'PUT': {
      const part = Number(url.searchParams.get('partNumber'));
      if (uploadId === null) objects.set(key, body);
      else uploads.get(uploadId)?.set(part, body);
      response.writeHead(200, { ETag: '"etag"' }).end();
      return;
    }
    case 'POST': {
      if (uploadId !== null) {
        const parts = [...(uploads.get(uploadId) ?? [])].sort(([a], [b]) => a - b);
        objects.set(key, Buffer.concat(parts.map(([, bytes]) => bytes)));
        response.end(
          `<CompleteMultipartUploadResult ${xmlNamespace}><ETag>"etag"</ETag></CompleteMultipartUploadResult>`,
        );
        return;
      }
      const id = String(uploads.size);
      uploads.set(id, new Map());
      response.end(
        `<InitiateMultipartUploadResult ${xmlNamespace}><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
      return;
    }
    case 'DELETE':
      objects.delete(key);
      response.writeHead(204).end();
      return;
    default:
      sendObject(objects, request, url, key, response);
  }
}

function sendObject(
  objects: Content['objects'],
  request: IncomingMessage,
  url: URL,
  key: string,
  response: ServerResponse,
): void {
  if (url.searchParams.has('list-type')) {
    const bucket = `${key.replace(/\/$/, '')}/`;
    const found = [...objects].filter(([name]) =>
      name.startsWith(`${bucket}${url.searchParams.get('prefix') ?? ''}`),
    );
    const entries = found.map(
      ([name, bytes]) =>
        `<Contents><Key>${name.slice(bucket.length)}</Key><Size>${bytes.length}</Size></Contents>`,
    );
    response.end(
      `<ListBucketResult ${xmlNamespace}><KeyCount>${found.length}</KeyCount>${entries.join('')}</ListBucketResult>`,
    );
    return;
  }
  const object = objects.get(key);
  if (object === undefined) {
    const text = '<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>';
    response.writeHead(404, { 'Content-Type': 'application/xml' }).end(request.method === 'HEAD' ? '' : text);
    return;
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(first ?? 0);
  const end = last === undefined || last === '' ? object.length : Math.min(object.length, Number(last) + 1);
  const bytes = object.subarray(start, end);
  response.writeHead(first === undefined ? 200 : 206, {
    'Content-Length': bytes.length,
    'Content-Range': `bytes ${start}-${end - 1}/${object.length}`,
    'Last-Modified': new Date(0).toUTCString(),
    ETag: '"etag"',
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding']?.includes('aws-chunked') ? dechunk(body) : body;
}

/** aws-chunked => (size:hex [;extensions] CRLF bytes CRLF)* */
function dechunk(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) break;
    pieces.push(body.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(pieces);
}
