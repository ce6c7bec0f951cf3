# One image for the gateway and every subgraph: Node runs the TypeScript as it stands, so there is nothing to build.
FROM node:24-slim

ENV NODE_ENV=production APOLLO_TELEMETRY_DISABLED=1
WORKDIR /app

# `npm ci` refuses a lock that lacks the optional binaries of other platforms; `install --no-save` follows the same lock.
COPY package.json package-lock.json ./
RUN npm install --no-save --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

COPY rover.yaml ./
COPY schema schema
COPY shared shared
COPY gateway gateway
COPY subgraphs subgraphs
COPY commands commands

# A volume that is mounted here for the first time takes its owner along.
RUN mkdir /uploads && chown node:node /uploads
USER node

EXPOSE 4000
CMD ["node", "gateway/main.ts"]
