/**
 * Takes the name of an image apart (grammar: distribution/reference, `name[:tag][@digest]`).
 *
 *   registry.example.com:5000/shop/cart:1.4@sha256:9b2e...  ->  name registry.example.com:5000/shop/cart, tag 1.4, digest sha256:9b2e...
 */

export interface ImageReference {
  /** '' where the image goes by its id only. */
  readonly name: string;
  /** '' where none is given: it is not said to be `latest`. */
  readonly tag: string;
  readonly digest: string;
}

const idPattern = /^(sha256:)?[0-9a-f]{64}$/;

/** Never throws: what is no reference becomes a name. */
export function parseImageReference(text: string): ImageReference {
  if (idPattern.test(text)) return { name: '', tag: '', digest: '' };
  const at = text.indexOf('@');
  const tagged = at === -1 ? text : text.slice(0, at);
  const digest = at === -1 ? '' : text.slice(at + 1);
  const colon = tagged.indexOf(':', tagged.lastIndexOf('/') + 1);
  if (colon === -1) return { name: tagged, tag: '', digest };
  return { name: tagged.slice(0, colon), tag: tagged.slice(colon + 1), digest };
}

/** The attributes of an image (semantic conventions: container). Lists are written as their only element. */
export function imageAttributes({ name, tag }: ImageReference): Record<string, string> {
  return {
    ...(name === '' ? {} : { 'container.image.name': name }),
    ...(tag === '' ? {} : { 'container.image.tags': tag }),
  };
}

/** `service.version` of an image (semantic conventions: k8s-attributes): `<tag>@<digest>`, `<digest>` or `<tag>`; '' for none. */
export function imageVersion({ tag, digest }: ImageReference): string {
  return tag !== '' && digest !== '' ? `${tag}@${digest}` : digest || tag;
}
