/**
 * Which proxy a request goes through, as Go decides it (golang.org/x/net/http/httpproxy) and Prometheus configures it.
 *
 *   { proxyUrl: 'http://p:3128', noProxy: '10.0.0.0/8,.local' }   http://10.1.2.3/ -> none   http://a.example/ -> http://p:3128
 *
 * `noProxy` is a list with commas. An entry is "*", an IP address, a range in CIDR form, or a domain, which also stands for
 * all below it (with a leading dot: only for those); addresses and domains may have a port. Where it is given, and with the
 * environment's proxies, localhost and loopback addresses are never asked for through a proxy.
 */
import { BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { ScrapeError } from '../scrape-error.ts';
import type { HttpClientSettings } from '../scrape-settings.ts';

type ProxySettings = Pick<HttpClientSettings, 'proxyUrl' | 'noProxy' | 'isProxyFromEnvironment'>;
type Environment = Readonly<Record<string, string | undefined>>;

interface Exception {
  matches(host: string, port: string): boolean;
}

const schemes = ['http:', 'https:', 'socks5:', 'socks5h:'];
const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

export class ProxyChoice {
  readonly #ofHttp: string;
  readonly #ofHttps: string;
  /** Undefined: every request goes through the proxy. */
  readonly #exceptions: readonly Exception[] | undefined;
  readonly #isForgiving: boolean;

  constructor(settings: ProxySettings, environment: Environment) {
    const variable = (name: string): string => environment[name] || environment[name.toLowerCase()] || '';
    this.#isForgiving = settings.isProxyFromEnvironment ?? false;
    if (this.#isForgiving) {
      // In a CGI program a client's "Proxy" header would be HTTP_PROXY; Go refuses it there, too.
      this.#ofHttp = environment.REQUEST_METHOD ? '' : variable('HTTP_PROXY');
      this.#ofHttps = variable('HTTPS_PROXY');
      this.#exceptions = exceptionsOf(variable('NO_PROXY'));
      return;
    }
    this.#ofHttp = this.#ofHttps = settings.proxyUrl ?? '';
    this.#exceptions = settings.noProxy ? exceptionsOf(settings.noProxy) : undefined;
  }

  /** Returns the proxy for a request, if it goes through one. Throws ScrapeError where the configured one is none. */
  proxyFor(url: URL): URL | undefined {
    const text = url.protocol === 'https:' ? this.#ofHttps : this.#ofHttp;
    if (text === '' || this.#isExcepted(url)) return undefined;
    const proxy = parsedProxy(text);
    if (proxy) return proxy;
    // A variable with something else in it counts as none, as in Go.
    if (this.#isForgiving) return undefined;
    throw new ScrapeError('the proxy URL is neither http:// nor https:// nor socks5://');
  }

  #isExcepted(url: URL): boolean {
    if (!this.#exceptions) return false;
    const host = bare(url.hostname).toLowerCase();
    if (host === 'localhost' || isLoopback(host)) return true;
    const port = url.port || defaultPorts[url.protocol]!;
    return this.#exceptions.some((exception) => exception.matches(host, port));
  }
}

function parsedProxy(text: string): URL | undefined {
  for (const candidate of [text, `http://${text}`]) {
    const url = URL.canParse(candidate) ? new URL(candidate) : undefined;
    if (url && schemes.includes(url.protocol) && url.hostname !== '') return url;
    // "host:3128" is a URL too, of the scheme "host"; another scheme with a host is a proxy that we do not speak to.
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return undefined;
  }
  return undefined;
}

function exceptionsOf(list: string): Exception[] {
  const exceptions: Exception[] = [];
  for (const part of list.split(',')) {
    const entry = part.trim().toLowerCase();
    if (entry === '*') return [{ matches: () => true }];
    const exception = entry === '' ? undefined : exceptionOf(entry);
    if (exception) exceptions.push(exception);
  }
  return exceptions;
}

/** Returns undefined for an entry that says nothing. */
function exceptionOf(entry: string): Exception | undefined {
  const range = /^(.+)\/(\d+)$/.exec(entry);
  if (range && isIP(range[1]!) > 0 && Number(range[2]) <= (isIP(range[1]!) === 4 ? 32 : 128)) {
    const block = new BlockList();
    block.addSubnet(range[1]!, Number(range[2]), family(range[1]!));
    return { matches: (host) => isIP(host) > 0 && block.check(host, family(host)) };
  }
  const [name, port] = splitPort(entry);
  const hasPort = (of: string): boolean => port === '' || port === of;
  if (isIP(name) > 0) {
    const block = new BlockList();
    block.addAddress(name, family(name));
    return { matches: (host, of) => isIP(host) > 0 && block.check(host, family(host)) && hasPort(of) };
  }
  if (name === '') return undefined;
  const domain = name.startsWith('*.') ? name.slice(1) : name;
  const isItself = !domain.startsWith('.');
  const plain = isItself ? domain : domain.slice(1);
  const ascii = domainToASCII(plain) || plain;
  return {
    matches: (host, of) => (host.endsWith(`.${ascii}`) || (isItself && host === ascii)) && hasPort(of),
  };
}

/** "host:port" and "[address]:port" in two parts; anything else is a host without a port. */
function splitPort(entry: string): [host: string, port: string] {
  const bracketed = /^\[([^[\]]*)\]:([^:]*)$/.exec(entry);
  if (bracketed) return [bracketed[1]!, bracketed[2]!];
  const plain = /^([^:[\]]*):([^:]*)$/.exec(entry);
  return plain ? [plain[1]!, plain[2]!] : [entry, ''];
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  return isIP(host) > 0 && loopback.check(host, family(host));
}
