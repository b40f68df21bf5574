/** A DNS server over UDP for tests of service discovery: answers with the records it is given, or with NXDOMAIN. */
import { createSocket } from 'node:dgram';

export interface DnsServer {
  /** `TYPE name` to the data of its records. */
  readonly records: Map<string, Buffer[]>;
  /** True: every question is answered with SERVFAIL. */
  isFailing: boolean;
  /** `host:port`. */
  readonly address: string;
  close(): Promise<void>;
}

const typeNames: Readonly<Record<number, string>> = { 1: 'A', 2: 'NS', 15: 'MX', 28: 'AAAA', 33: 'SRV' };

/** A name as labels, without compression. */
export function dnsName(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

export function uint16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}

export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.on('message', (question, peer) => socket.send(answer(question), peer.port, peer.address));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const server: DnsServer = {
    records: new Map(),
    isFailing: false,
    address: `127.0.0.1:${socket.address().port}`,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
  function answer(question: Buffer): Buffer {
    const labels: string[] = [];
    let position = 12;
    for (let length = question[position]!; length > 0; length = question[position]!) {
      labels.push(question.toString('latin1', position + 1, position + 1 + length));
      position += length + 1;
    }
    const type = question.readUInt16BE(position + 1);
    const asked = question.subarray(12, position + 5);
    const found = server.isFailing
      ? undefined
      : server.records.get(`${typeNames[type]} ${labels.join('.').toLowerCase()}`);
    const code = server.isFailing ? 2 : found === undefined ? 3 : 0;
    const head = uint16(question.readUInt16BE(0), 0x8180 | code, 1, found?.length ?? 0, 0, 0);
    const answers = (found ?? []).map((data) =>
      Buffer.concat([uint16(0xc00c, type, 1, 0, 60, data.length), data]),
    );
    return Buffer.concat([head, asked, ...answers]);
  }
  return server;
}
