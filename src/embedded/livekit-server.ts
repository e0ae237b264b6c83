import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { Child, type ChildExit } from './child.ts';
import { freeTcpPort, freeUdpPort, retryPorts } from './ports.ts';
import { pollUntil, untilReady } from './ready.ts';

export interface EmbeddedLiveKit {
  /** `ws://127.0.0.1:…` */
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  stop(): Promise<void>;
}

export interface LiveKitKeys {
  readonly apiKey: string;
  readonly apiSecret: string;
}

export function generateLiveKitKeys(): LiveKitKeys {
  return {
    apiKey: `API${randomBytes(9).toString('hex')}`,
    apiSecret: randomBytes(32).toString('base64url'),
  };
}

function configuration(ports: { signal: number; udp: number }, keys: LiveKitKeys): string {
  return stringify({
    port: ports.signal,
    bind_addresses: ['127.0.0.1'],
    rtc: {
      // Off: the server can't bind it to loopback alone, and UDP on loopback is never blocked.
      tcp_port: 0,
      udp_port: ports.udp,
      use_external_ip: false,
      node_ip: '127.0.0.1',
      // Media on loopback alone: nothing outside this machine can reach a demo.
      enable_loopback_candidate: true,
      ips: { includes: ['127.0.0.1/32'] },
    },
    keys: { [keys.apiKey]: keys.apiSecret },
    logging: { level: 'info' },
  });
}

/**
 * Starts LiveKit on free ports of loopback, with keys of its own rather than the public development key. It stops
 * when this process ends, however it ends.
 *
 * @throws FloorwalkerError `embedded_start_failed` with the server's last lines.
 */
export async function startLiveKit(options: {
  /** The program `livekit-server`. */
  binary: string;
  keys?: LiveKitKeys;
  /** Of signalling; another free one for each start by default. */
  port?: number;
  logFile?: string;
}): Promise<EmbeddedLiveKit> {
  const keys = options.keys ?? generateLiveKitKeys();
  return retryPorts(() => startServer(options, keys));
}

async function startServer(
  options: { binary: string; port?: number; logFile?: string },
  keys: LiveKitKeys,
): Promise<EmbeddedLiveKit> {
  const ports = {
    signal: options.port ?? (await freeTcpPort()),
    udp: await freeUdpPort(),
  };
  const child = new Child({
    name: 'LiveKit',
    command: options.binary,
    args: ['--bind', '127.0.0.1', '--node-ip', '127.0.0.1'],
    // By environment, not by argument: it holds the secret, and arguments are public on a shared machine.
    env: { PATH: '/usr/bin:/bin', HOME: '/', LIVEKIT_CONFIG: configuration(ports, keys) },
    cwd: '/',
    // It waits for everyone to leave, and for ever when it is stopped in its first 100 ms. It keeps nothing on disk.
    killAfterMs: 1_000,
    orphanKillAfterMs: 1_000,
    ...(options.logFile ? { logFile: options.logFile } : {}),
  });
  await child.start();
  const answers = async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${ports.signal}/`, { headers: { connection: 'close' } });
      return response.ok;
    } catch {
      return false;
    }
  };
  await untilReady(child, pollUntil(child, answers), 30_000);
  return {
    url: `ws://127.0.0.1:${ports.signal}`,
    ...keys,
    pid: child.pid ?? 0,
    exited: child.exited,
    stop: () => child.stop(),
  };
}
