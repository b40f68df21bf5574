/** Which texts are names of labels. */

/** Whether text may name a label: any UTF-8 text. What was not UTF-8 has become U+FFFD. */
export function isLabelName(text: string): boolean {
  return text !== '' && !text.includes('\ufffd');
}
