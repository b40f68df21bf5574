/**
 * Addresses: e-mail and IPv6. Asked at the byte in their middle, they look back to their start.
 */
import {
  classes,
  type Detector,
  digitBit,
  type Finding,
  hexBit,
  is,
  letterBit,
  mailBit,
} from './detector.ts';
import { ipv4End } from './number-detectors.ts';

const dash = 0x2d;
const dot = 0x2e;
const colon = 0x3a;
const percent = 0x25;
const underscore = 0x5f;

// RFC 5321, 4.5.3.1: 64 bytes before the @, 255 behind it.
const localBytesMax = 64;
const domainBytesMax = 255;

/** 'ada.lovelace+x@mail.example.org': a domain with a dot and a last part of two letters or more. */
export const email: Detector = {
  name: 'email',
  triggers: '@',
  isAtWordStart: false,
  find(bytes, from, at, to, found) {
    const lowest = Math.max(from, at - localBytesMax);
    let start = at;
    while (start > lowest && (classes[bytes[start - 1]] & mailBit) !== 0) start--;
    while (start < at && bytes[start] === dot) start++;
    if (start === at) return false;
    const end = domainEnd(bytes, at + 1, to);
    return end !== -1 && setFound(found, start, end);
  },
};

function domainEnd(bytes: Uint8Array, start: number, to: number): number {
  const limit = Math.min(to, start + domainBytesMax);
  let position = start;
  let lastDot = -1;
  while (position < limit) {
    const byte = bytes[position];
    if (byte === dot) {
      if (position === start || bytes[position - 1] === dot) break;
      lastDot = position;
    } else if ((classes[byte] & (digitBit | letterBit)) === 0 && byte !== dash) break;
    position++;
  }
  if (lastDot === position - 1) {
    // The dot ends a sentence: look for the one before.
    position = lastDot;
    lastDot = position - 1;
    while (lastDot > start && bytes[lastDot] !== dot) lastDot--;
  }
  if (lastDot <= start) return -1;
  const labelFrom = lastDot + 1;
  let labelTo = labelFrom;
  while (labelTo < position && (classes[bytes[labelTo]] & letterBit) !== 0) labelTo++;
  return labelTo - labelFrom >= 2 ? labelTo : -1;
}

/** The longest text form: eight groups of four, or six and an IPv4 address. */
const ipv6TextMax = 45;

/** '2001:db8::1', 'fe80::1%eth0' (without the zone), '::ffff:10.0.0.1': not '12:34:56', not 'std::move'. */
export const ipv6: Detector = {
  name: 'ipv6',
  triggers: ':',
  isAtWordStart: false,
  find(bytes, from, at, to, found) {
    // Only at the first colon of an address.
    let start = at;
    while (start > from && at - start < 5 && (classes[bytes[start - 1]] & hexBit) !== 0) start--;
    if (start > from && isJoined(bytes[start - 1]) && !isLabelled(bytes, from, start - 1)) return false;
    const end = ipv6End(bytes, start, Math.min(to, start + ipv6TextMax + 1));
    if (end === -1 || (end < to && isJoined(bytes[end]) && bytes[end] !== percent)) return false;
    let hasDigit = false;
    for (let index = start; index < end; index++) hasDigit ||= (classes[bytes[index]] & digitBit) !== 0;
    return hasDigit && setFound(found, start, end);
  },
};

/** 'peer:2001:db8::1': a colon behind what is no group of an address. */
function isLabelled(bytes: Uint8Array, from: number, at: number): boolean {
  if (bytes[at] !== colon || at === from) return false;
  const before = bytes[at - 1];
  return before !== colon && (classes[before] & hexBit) === 0;
}

function isJoined(byte: number): boolean {
  return (
    (classes[byte] & (digitBit | letterBit)) !== 0 ||
    byte === underscore ||
    byte === colon ||
    byte === percent
  );
}

// RFC 4291, 2.2: eight groups of up to four hexadecimal digits; '::' once, for one or more groups of zeros; the last two
// groups may be an IPv4 address.
function ipv6End(bytes: Uint8Array, start: number, to: number): number {
  let position = start;
  let groups = 0;
  let isShortened = false;
  if (bytes[position] === colon) {
    if (position + 1 >= to || bytes[position + 1] !== colon) return -1;
    isShortened = true;
    position += 2;
  }
  while (groups < 8 && is(bytes, position, to, hexBit)) {
    let groupTo = position;
    while (groupTo < position + 5 && is(bytes, groupTo, to, hexBit)) groupTo++;
    if (groupTo < to && bytes[groupTo] === dot && groups <= 6) {
      const end = ipv4End(bytes, position, to);
      if (end !== -1) return isShortened ? end : groups === 6 ? end : -1;
    }
    if (groupTo - position > 4) return -1;
    groups++;
    position = groupTo;
    if (groups === 8 || position >= to || bytes[position] !== colon) break;
    if (position + 1 < to && bytes[position + 1] === colon) {
      if (isShortened) return -1;
      isShortened = true;
      position += 2;
    } else if (is(bytes, position + 1, to, hexBit)) position++;
    else break;
  }
  if (isShortened) return groups > 0 && groups < 8 ? position : -1;
  return groups === 8 ? position : -1;
}

function setFound(found: Finding, from: number, to: number): true {
  found.from = from;
  found.to = to;
  return true;
}
