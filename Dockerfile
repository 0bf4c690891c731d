# The broker as an image. The script .ci/image runs its COPY and npm lines without Docker.
#
#   docker build --tag token-broker .
#   docker run --memory 640m --read-only --cap-drop ALL --security-opt no-new-privileges --ulimit core=0 --stop-timeout 80 \
#     --volume broker-data:/data \
#     --volume ./broker.yaml:/app/broker.yaml:ro token-broker
#
# The default addresses are loopback, inside the container too. To be reached from outside, broker.yaml has to say
# `listen: {grpc: [{address: 0.0.0.0:50051, tls: …}], …}`; there is no serving in clear by mistake.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package needs its install script here; the one of "node" would fetch a second Node.
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# The program reads its version from it, and Node that these are ES modules.
COPY package.json ./
RUN chmod 755 dist/main.js && ln -s /app/dist/main.js /usr/local/bin/token-broker \
  && install --directory --owner=node --group=node --mode=0700 /data

# Everything that the broker writes: the store, the root key and the operator token.
ENV NODE_ENV=production TOKEN_BROKER_DATA_DIR=/data
# No way to the prototypes of objects, and no debugger on a signal.
ENV NODE_OPTIONS="--disable-proto=delete --disable-sigusr1"
# Under attack, half the memory: glibc keeps two pools instead of eight for each processor, and gives back at once what is
# large. It is no bound: the limit of the container (--memory) is, of which Node's heap takes a part. SECURITY.md has the
# numbers.
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=65536
VOLUME /data
USER node

# gRPC, browser consent, probes.
EXPOSE 50051 8085 8086

# Asks 127.0.0.1:50051. With TLS there, set TOKEN_BROKER_ADDRESS to a name that the certificate has, and TOKEN_BROKER_CA_FILE.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["token-broker", "health"]

# Calls and refreshes in flight finish first, which takes up to 75 s. A kill before that can lose a rotated refresh
# token: give it 80 s (docker run --stop-timeout 80, stop_grace_period: 80s, terminationGracePeriodSeconds: 80).
STOPSIGNAL SIGTERM
ENTRYPOINT ["token-broker"]
CMD ["serve"]
