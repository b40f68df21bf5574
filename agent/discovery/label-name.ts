/** Names and addresses as discoveries write them into labels. */

/** What is no letter, digit or underscore becomes an underscore: `app.kubernetes.io/name` is `app_kubernetes_io_name`. */
export function sanitizeLabelName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_');
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function hostPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
