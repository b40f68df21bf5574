/** Which texts are names of metrics and labels. */

/** Whether text may stand as a metric name outside braces, without quotes. */
export function isMetricNameText(text: string): boolean {
  return /^[A-Za-z_:][A-Za-z0-9_:]*$/.test(text);
}

/** Whether text may name a label: any UTF-8 text. What was not UTF-8 has become U+FFFD. */
export function isLabelName(text: string): boolean {
  return text !== '' && !text.includes('\ufffd');
}
