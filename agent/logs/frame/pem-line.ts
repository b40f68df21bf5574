/**
 * Lines of a key or certificate in PEM (RFC 7468; RFC 1421 for the headers of encrypted keys), which make one record: torn into
 * lines, a key could not be told from other base64, and not be redacted.
 *
 *   'key: -----BEGIN RSA PRIVATE KEY-----'  begins;  'MIIEowIBAAKCAQEA...'  continues;  '-----END RSA PRIVATE KEY-----'  ends
 */

const hyphen = 0x2d;
const dashes = Buffer.from('-----');
const begin = Buffer.from('-----BEGIN ');
const end = Buffer.from('-----END ');
const headers = ['Proc-Type: ', 'DEK-Info: '].map((text) => Buffer.from(text));
/** 'ENCRYPTED PRIVATE KEY' and its like. */
const labelBytesMax = 40;
/** RFC 1421 and 7468 have 64, MIME 76. */
const base64BytesMax = 76;

/** Whether the line ends with '-----BEGIN ...-----'. Nearly always, one byte says no. */
export function isPemBegin(bytes: Buffer, from: number, to: number): boolean {
  if (bytes[to - 1] !== hyphen || !isAt(bytes, to - dashes.length, from, to, dashes)) return false;
  const latest = to - dashes.length - begin.length;
  for (let at = latest; at >= from && at >= latest - labelBytesMax; at--) {
    if (bytes[at] === hyphen && isAt(bytes, at, from, to, begin)) return true;
  }
  return false;
}

/** Whether the line is '-----END ...-----'. */
export function isPemEnd(bytes: Buffer, from: number, to: number): boolean {
  return bytes[to - 1] === hyphen && isAt(bytes, from, from, to, end);
}

/** Whether the line can stand behind '-----BEGIN': base64, a header, the blank line behind headers, the end. */
export function isPemLine(bytes: Buffer, from: number, to: number): boolean {
  if (isPemEnd(bytes, from, to) || headers.some((header) => isAt(bytes, from, from, to, header))) return true;
  if (to - from > base64BytesMax) return false;
  for (let at = from; at < to; at++) if (isBase64[bytes[at]] === 0) return false;
  return true;
}

const isBase64 = new Uint8Array(256);
for (let code = 0; code < 128; code++) {
  if (/[A-Za-z0-9+/=]/.test(String.fromCharCode(code))) isBase64[code] = 1;
}

function isAt(bytes: Buffer, at: number, from: number, to: number, text: Buffer): boolean {
  return (
    at >= from && at + text.length <= to && bytes.compare(text, 0, text.length, at, at + text.length) === 0
  );
}
