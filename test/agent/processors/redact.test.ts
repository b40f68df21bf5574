/**
 * Goal: secrets do not leave the node, and what only looks like one stays readable.
 * Method: tables of lines and what is left of them, by detector; then modes, own expressions, attributes, counts.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeText } from '../logs/log-text.ts';
import { process, processOnce, startProcessors } from './processed-text.ts';

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P';
const awsSecret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const pem = '-----BEGIN RSA PRIVATE KEY-----MIIEow==-----END RSA PRIVATE KEY-----';

test.each([
  // credit_card
  ['paid with 4111111111111111 ok', 'paid with [credit_card] ok'],
  ['4111 1111 1111 1111', '[credit_card]'],
  ['card 5500-0055-5555-5559 20 ms', 'card [credit_card] 20 ms'],
  ['card 4111 1111 1111 1111 20 ms', 'card [credit_card] 20 ms'],
  ['45 4111 1111 1111 1111', '45 [credit_card]'],
  ['amex 378282246310005.', 'amex [credit_card].'],
  ['{"card":4111111111111111}', '{"card":[credit_card]}'],
  ['4111111111111112 has a wrong checksum', '4111111111111112 has a wrong checksum'],
  ['order 41111111111111110000001', 'order 41111111111111110000001'],
  ['trace a4111111111111111', 'trace a4111111111111111'],
  ['ts 1767323045123 and 1767323045123456789', 'ts 1767323045123 and 1767323045123456789'],
  // email
  ['from ada.lovelace+x@mail.example.org.', 'from [email].'],
  ['<ada@example.org>,<bob@example.org>', '<[email]>,<[email]>'],
  ['user@localhost and @ alone, a@b.c', 'user@localhost and @ alone, a@b.c'],
  ['x@example.org,y', '[email],y'],
  // ipv4
  ['peer 10.0.0.1:8080', 'peer [ipv4]:8080'],
  ['192.168.1.255', '[ipv4]'],
  ['from 10.0.0.1.', 'from [ipv4].'],
  ['version 1.2.3.4.5, 256.1.1.1, v1.2.3.4', 'version 1.2.3.4.5, 256.1.1.1, v1.2.3.4'],
  // ipv6
  ['peer 2001:db8::1 up', 'peer [ipv6] up'],
  ['[2001:db8:0:0:0:0:0:1]:443', '[[ipv6]]:443'],
  ['via ::1 and ::ffff:10.0.0.1', 'via [ipv6] and [ipv6]'],
  ['peer:2001:db8::1', 'peer:[ipv6]'],
  ['fe80::1%eth0', '[ipv6]%eth0'],
  ['at 12:34:56 in std::move, aa:bb:cc:dd:ee:ff', 'at 12:34:56 in std::move, aa:bb:cc:dd:ee:ff'],
  // tokens
  [`token=${jwt} end`, 'token=[jwt] end'],
  ['eyJhbGciOiJIUzI1NiJ9 alone', 'eyJhbGciOiJIUzI1NiJ9 alone'],
  ['key AKIAIOSFODNN7EXAMPLE.', 'key [aws_access_key].'],
  ['AKIAIOSFODNN7EXAMPLEX, AKIAiosfodnn7example', 'AKIAIOSFODNN7EXAMPLEX, AKIAiosfodnn7example'],
  [`aws_secret_access_key = ${awsSecret}`, 'aws_secret_access_key = [aws_secret_key]'],
  [`"SecretAccessKey":"${awsSecret}"`, '"SecretAccessKey":"[aws_secret_key]"'],
  [`sha ${awsSecret}`, `sha ${awsSecret}`],
  ['Authorization: Bearer abc.def-123~x==', 'Authorization: Bearer [bearer_token]'],
  [`authorization: bearer ${jwt}`, 'authorization: bearer [bearer_token]'],
  ['bearer of news', 'bearer of news'],
  [`key ${pem} end`, 'key [private_key] end'],
  ['-----BEGIN PRIVATE KEY-----MIIEow', '[private_key]'],
  ['-----BEGIN CERTIFICATE-----MIIEow', '-----BEGIN CERTIFICATE-----MIIEow'],
  // characters beyond ASCII beside a secret
  ['卡号4111111111111111，地址10.0.0.1', '卡号[credit_card]，地址[ipv4]'],
  ['süß ada@example.org ☃', 'süß [email] ☃'],
])('%s', async (line, expected) => {
  const [record] = await processOnce('- redact: {}', line);
  expect(record!.body).toBe(expected);
});

test('a private key that was written in several lines leaves none of them', async () => {
  const { records } = encodeText(
    'plain',
    'before\nkey -----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\nafter\n',
    4096,
    'auto',
  );
  const left = [];
  for (const { body } of records) left.push((await processOnce('- redact: {}', body))[0]!.body);
  expect(left).toEqual(['before', 'key [private_key]', 'after']);
});

test('only the detectors that are named run, and own expressions besides', async () => {
  const yaml = '- redact: { detectors: [email], patterns: { order_id: "ORD-\\\\d+" } }'.replaceAll(
    '\\\\',
    '\\\\',
  );
  const [record] = await processOnce(yaml, 'ORD-17 by ada@example.org from 10.0.0.1, ORD-18');
  expect(record!.body).toBe('[order_id] by [email] from 10.0.0.1, [order_id]');
});

test('a hash is the same for the same secret and key, and another with another key', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-redact-'));
  const withKey = async (key: string) => {
    const path = join(directory, 'key');
    writeFileSync(path, key);
    const yaml = `- redact: { detectors: [email], mode: hash, key_file: ${path} }`;
    const [record] = await processOnce(yaml, 'a@example.org a@example.org b@example.org');
    return record!.body.split(' ');
  };
  const [first, second, other] = await withKey('0123456789abcdef\n');
  expect(first).toMatch(/^\[email:[0-9a-f]{16}\]$/);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  expect((await withKey('0123456789abcdef'))[0]).toBe(first);
  expect((await withKey('fedcba9876543210'))[0]).not.toBe(first);
  await expect(withKey('short')).rejects.toThrow(
    /agent.logs.processors at 0.redact: redact: key_file .* has 5 bytes: give 16 or more/,
  );
});

test('values of attributes are redacted too, and numbers among them', async () => {
  const yaml = '- parse: { format: json }\n- redact: {}';
  const [record] = await processOnce(yaml, '{"user":"ada@example.org","card":4111111111111111,"n":7}');
  expect(record!.attributes).toEqual({ user: '[email]', card: '[credit_card]', n: 7 });
  expect(record!.body).toBe('{"user":"[email]","card":[credit_card],"n":7}');
});

test('what was found is counted by detector, once the batch is settled', async () => {
  const processors = await startProcessors('- redact: {}');
  const { settle } = process(processors, 'a@example.org b@example.org\n10.0.0.1\nnothing\n');
  expect(processors.totals()).toMatchObject([{ processor: '0.redact', in: 0 }]);
  settle();
  expect(processors.totals()).toEqual([
    { processor: '0.redact', in: 3, changed: 2, dropped: 0, errors: 0, notes: { email: 2, ipv4: 1 } },
  ]);
  await processors.stop({ drainMs: 0 });
});
