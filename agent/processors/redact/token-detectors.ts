/**
 * Credentials that have a form of their own: JSON web tokens, keys of AWS, bearer tokens, private keys in PEM.
 */
import {
  base64Bit,
  classes,
  type Detector,
  digitBit,
  type Finding,
  is,
  isTextAt,
  isWordAt,
  letterBit,
  runEnd,
  tokenBit,
} from './detector.ts';

const dot = 0x2e;
const space = 0x20;

const unbounded = Number.MAX_SAFE_INTEGER;
/** '{"' and a few bytes: no header or payload is shorter. */
const tokenPartMin = 8;

/** RFC 7519: three parts of base64url, the first one a JSON object: 'eyJhbGciOi....eyJzdWIi....c2ln' */
export const jwt: Detector = {
  name: 'jwt',
  triggers: 'J',
  isAtWordStart: false,
  find(bytes, from, at, to, found) {
    const start = at - 2;
    if (start < from || !isTextAt(bytes, start, to, 'eyJ')) return false;
    if (start > from && (classes[bytes[start - 1]] & tokenBit) !== 0) return false;
    const headerTo = runEnd(bytes, start, to, tokenBit, unbounded);
    if (headerTo - start < tokenPartMin || headerTo >= to || bytes[headerTo] !== dot) return false;
    const payloadTo = runEnd(bytes, headerTo + 1, to, tokenBit, unbounded);
    if (payloadTo - headerTo <= tokenPartMin || payloadTo >= to || bytes[payloadTo] !== dot) return false;
    return setFound(found, start, runEnd(bytes, payloadTo + 1, to, tokenBit, unbounded));
  },
};

// AWS IAM, unique identifiers: four letters say what it is, sixteen follow.
const accessKeyPrefixes = ['KIA', 'SIA', 'GPA', 'IDA', 'ROA', 'IPA', 'NPA', 'NVA', 'BIA', 'CCA'];
const accessKeyBytes = 20;

/** 'AKIAIOSFODNN7EXAMPLE' */
export const awsAccessKey: Detector = {
  name: 'aws_access_key',
  triggers: 'A',
  followers: 'KSGIRNBC',
  isAtWordStart: true,
  find(bytes, from, at, to, found) {
    const end = at + accessKeyBytes;
    if (end > to || (at > from && is(bytes, at - 1, to, digitBit | letterBit))) return false;
    if (!accessKeyPrefixes.some((prefix) => isTextAt(bytes, at + 1, to, prefix))) return false;
    for (let position = at + 4; position < end; position++) {
      const byte = bytes[position];
      if ((classes[byte] & digitBit) === 0 && (byte < 0x41 || byte > 0x5a)) return false;
    }
    return !is(bytes, end, to, digitBit | letterBit) && setFound(found, at, end);
  },
};

const secretKeyBytes = 40;
/** Between a name and its secret: quotes, spaces, an equals sign or a colon, escaped or not. */
const assignmentBytesMax = 8;

/** Forty letters of base64 behind a name such as aws_secret_access_key, SecretAccessKey, secret_key. */
export const awsSecretKey: Detector = {
  name: 'aws_secret_key',
  triggers: 'sS',
  followers: 'eE',
  isAtWordStart: false,
  find(bytes, _from, at, to, found) {
    if (!isWordAt(bytes, at, to, 'secret')) return false;
    let position = skipJoint(bytes, at + 6, to);
    if (isWordAt(bytes, position, to, 'access')) position = skipJoint(bytes, position + 6, to);
    if (!isWordAt(bytes, position, to, 'key')) return false;
    position += 3;
    const limit = Math.min(to, position + assignmentBytesMax);
    let hasSign = false;
    while (position < limit && (classes[bytes[position]] & (digitBit | letterBit)) === 0) {
      const byte = bytes[position];
      hasSign ||= byte === 0x3d || byte === 0x3a || byte === space;
      // '/' and '+' can be the first of the secret itself.
      if (byte === 0x2f || byte === 0x2b) break;
      position++;
    }
    if (!hasSign) return false;
    const end = runEnd(bytes, position, to, base64Bit, secretKeyBytes + 1);
    return end - position === secretKeyBytes && setFound(found, position, end);
  },
};

/** '_' or '-' between the words of a name. */
function skipJoint(bytes: Uint8Array, at: number, to: number): number {
  return at < to && (bytes[at] === 0x5f || bytes[at] === 0x2d) ? at + 1 : at;
}

const bearerBytesMin = 8;

/** RFC 6750, 2.1: 'Bearer ' and b64token; the word stays. */
export const bearerToken: Detector = {
  name: 'bearer_token',
  triggers: 'bB',
  followers: 'eE',
  isAtWordStart: true,
  find(bytes, from, at, to, found) {
    if (!isWordAt(bytes, at, to, 'bearer') || (at > from && is(bytes, at - 1, to, letterBit | digitBit)))
      return false;
    let start = at + 6;
    while (start < to && start < at + 9 && bytes[start] === space) start++;
    if (start === at + 6) return false;
    let end = start;
    while (end < to && isTokenByte(bytes[end])) end++;
    return end - start >= bearerBytesMin && setFound(found, start, end);
  },
};

function isTokenByte(byte: number): boolean {
  return (classes[byte] & (tokenBit | base64Bit)) !== 0 || byte === dot || byte === 0x7e;
}

const pemBegin = '-----BEGIN ';
const pemKey = 'PRIVATE KEY-----';
const pemEnd = '-----END ';
const pemDashes = '-----';
/** 'ENCRYPTED ', 'RSA ', 'OPENSSH ' */
const pemKindBytesMax = 24;

/** RFC 7468: from BEGIN to END, or to the end of the record where END is missing. */
export const privateKey: Detector = {
  name: 'private_key',
  triggers: '-',
  followers: '-',
  isAtWordStart: false,
  find(bytes, _from, at, to, found) {
    if (!isTextAt(bytes, at, to, pemBegin)) return false;
    let label = at + pemBegin.length;
    const labelMax = label + pemKindBytesMax;
    while (label < labelMax && !isTextAt(bytes, label, to, pemKey)) label++;
    if (label === labelMax) return false;
    let position = label + pemKey.length;
    while (position < to && !isTextAt(bytes, position, to, pemEnd)) position++;
    if (position < to) {
      position += pemEnd.length;
      while (position < to && !isTextAt(bytes, position, to, pemDashes)) position++;
      position = Math.min(to, position + pemDashes.length);
    }
    return setFound(found, at, position);
  },
};

function setFound(found: Finding, from: number, to: number): true {
  found.from = from;
  found.to = to;
  return true;
}
