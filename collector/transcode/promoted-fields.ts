/**
 * Which fields of log bodies become attributes: `collector.logs.promote_body_fields`, as plain data that a worker
 * thread gets when it starts.
 *
 *   user_id                               ->  field user_id, attribute user_id
 *   http.status=http.response.status_code ->  field status of field http, attribute http.response.status_code
 */
import { ConfigError } from '#model/errors.ts';

/** Must survive a structured clone. */
export interface PromotedField {
  /** Names of a field and of those that it is in, joined by dots. */
  readonly field: string;
  readonly attribute: string;
}

/** A set of fields is the bits of one small integer. */
export const promotedFieldsMax = 30;
/** A name's length is one byte before it. */
export const nameBytesMax = 127;
/** Objects that are entered, one in another. */
const fieldPartsMax = 16;

const option = 'collector.logs.promote_body_fields';

/** Throws ConfigError on what cannot be looked for: too many fields, names that are empty, too long or there twice. */
export function parsePromotedFields(texts: readonly string[]): readonly PromotedField[] {
  if (texts.length > promotedFieldsMax) {
    throw new ConfigError(`${option} has ${texts.length} fields, more than ${promotedFieldsMax}`);
  }
  const repeated = texts.find((text, i) => texts.indexOf(text) !== i);
  if (repeated !== undefined) throw new ConfigError(`${option} holds ${repeated} twice`);
  return texts.map(parsePromotedField);
}

function parsePromotedField(text: string): PromotedField {
  const at = text.indexOf('=');
  const field = at < 0 ? text : text.slice(0, at);
  const attribute = at < 0 ? text : text.slice(at + 1);
  for (const name of [field, attribute]) {
    if (name === '' || name.trim() !== name) {
      throw new ConfigError(`${option}: "${text}" has a name that is empty or begins or ends with a space`);
    }
    if (Buffer.byteLength(name) > nameBytesMax) {
      throw new ConfigError(`${option}: a name of "${text}" is longer than ${nameBytesMax} bytes`);
    }
  }
  if (field.split('.').length > fieldPartsMax) {
    throw new ConfigError(`${option}: "${text}" is more than ${fieldPartsMax} fields in one another`);
  }
  return { field, attribute };
}
