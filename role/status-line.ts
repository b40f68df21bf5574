/** One live line on a terminal, rewritten in place; nothing where the output is a file or a pipe. */

const intervalMs = 1000;
/** Some terminals do not say how wide they are. */
const columnsDefault = 80;

/** `render` is called once a second while the line is shown. */
export function showStatusLine(render: () => string, output: NodeJS.WriteStream): { close(): void } {
  if (!output.isTTY) return { close: () => undefined };
  const draw = (): void => {
    // A line that wraps cannot be rewritten in place: cut it to the terminal's width.
    output.write(`\r\u001b[2K${render().slice(0, (output.columns || columnsDefault) - 1)}`);
  };
  draw();
  const timer = setInterval(draw, intervalMs);
  return {
    close() {
      clearInterval(timer);
      output.write('\r\u001b[2K');
    },
  };
}

/** 1536 -> `1.5 KiB`. */
export function renderBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
