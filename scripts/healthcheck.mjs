// The container's health check. One image runs as worker or as API, so it asks the port of either: whichever
// answers decides. Plain JavaScript on Node built-ins, to start fast and to need nothing.
const addresses = [
  `http://127.0.0.1:${process.env.PORT || 8080}/healthz`,
  // The framework's own health endpoint: 503 while the worker has no connection to LiveKit.
  `http://127.0.0.1:${process.env.WORKER_PORT || 8081}/`,
];

const answers = await Promise.all(
  addresses.map(async (address) => {
    try {
      const response = await fetch(address, { signal: AbortSignal.timeout(4_000) });
      return `${address}: ${response.status}`;
    } catch {
      return `${address}: no answer`;
    }
  }),
);

const healthy = answers.some((answer) => answer.endsWith(': 200'));
if (!healthy) console.error(answers.join('\n'));
process.exitCode = healthy ? 0 : 1;
