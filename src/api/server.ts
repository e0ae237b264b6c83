import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { createApi } from './app.ts';
import { assembleParts } from './assemble.ts';
import type { ApiParts } from './parts.ts';
import { measureRetention } from './retention-metrics.ts';
import type { ApiSettings } from './settings.ts';

/** Open requests get this long to finish when the server stops. */
const STOP_WITHIN_MS = 10_000;

export interface ApiAddresses {
  readonly port: number;
  readonly metricsPort: number;
}

/** The API on its two ports: the public one, and one for Prometheus that belongs inside the cluster. */
export class ApiServer {
  readonly #settings: ApiSettings;
  readonly #log: Log;
  readonly #parts: ApiParts;
  #starting: Promise<ApiAddresses> | undefined;
  #stopping: Promise<void> | undefined;
  #servers: Server[] = [];

  constructor(settings: ApiSettings, log: Log) {
    this.#settings = settings;
    this.#log = log.child({ component: 'api' });
    this.#parts = assembleParts(settings, this.#log);
  }

  /**
   * Listens; a second call gives the same answer.
   *
   * @throws FloorwalkerError `config_invalid`, `cannot_listen`
   */
  start(): Promise<ApiAddresses> {
    if (this.#stopping) return Promise.reject(new Error('the API was stopped'));
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** Takes no new requests and finishes the open ones. Safe before start and when repeated. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(): Promise<ApiAddresses> {
    const { host, port, metricsPort } = this.#settings.api;
    this.#parts.metrics.collectProcess();
    measureRetention(this.#parts.metrics.registry, this.#parts.serviceDb, this.#log);
    const api = createApi(this.#parts);
    const main = createServer(getRequestListener(api.fetch, { overrideGlobalObjects: false }));
    main.headersTimeout = 10_000;
    main.requestTimeout = 30_000;
    main.keepAliveTimeout = 65_000;
    const metrics = createServer((request, response) => void this.#answerMetrics(request.url, response));
    try {
      const addresses = {
        port: await this.#listen(main, host, port, 'PORT'),
        metricsPort: await this.#listen(metrics, host, metricsPort, 'METRICS_PORT'),
      };
      this.#log.info(addresses, 'api listens');
      return addresses;
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async #listen(server: Server, host: string, port: number, setting: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(port, host, resolve);
    try {
      await promise;
    } catch (cause) {
      throw new FloorwalkerError('cannot_listen', `The API can not listen on ${host}:${port}.`, {
        cause,
        remedy: `Stop what uses the port, or set ${setting} to another one.`,
      });
    } finally {
      server.off('error', reject);
    }
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  async #answerMetrics(url: string | undefined, response: ServerResponse): Promise<void> {
    const { registry } = this.#parts.metrics;
    if (url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics());
  }

  async #stop(): Promise<void> {
    this.#parts.health.drain();
    await this.#starting?.catch(() => undefined);
    // First the streams: they never end by themselves.
    await this.#parts.events.stop();
    await this.#close();
    await this.#parts.doorbell.settled();
    this.#parts.metrics.registry.clear();
    this.#log.info('api stopped');
  }

  async #close(): Promise<void> {
    const closed = this.#servers.map((server) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeIdleConnections();
      return promise;
    });
    const deadline = setTimeout(() => {
      for (const server of this.#servers) server.closeAllConnections();
    }, STOP_WITHIN_MS);
    await Promise.all(closed);
    clearTimeout(deadline);
  }
}
