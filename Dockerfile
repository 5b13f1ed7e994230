# The server as a container image: `docker build --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" --tag bucketlist .`
# SQLite needs a volume at /data. With PostgreSQL (DATABASE_URL), /data holds only files of mails and may be temporary.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Versions are those of the base image's Debian release, which receives security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libssl-dev make perl pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
ARG COMMIT=unknown
ENV BUCKETLIST_COMMIT=$COMMIT CARGO_INCREMENTAL=0
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --package bucketlist \
    && cp target/release/bucketlist /usr/local/bin/bucketlist

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin bucketlist \
    && install --directory --owner=bucketlist --group=bucketlist --mode=0700 /data
COPY --from=build /usr/local/bin/bucketlist /usr/local/bin/bucketlist

# In a container the server is reached through its published port, so it listens on all of the container's addresses.
# It refuses to start in production without JWT_SECRET (or JWT_PRIVATE_KEY).
ENV APP_ENV=production HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["bucketlist", "health"]
ENTRYPOINT ["bucketlist"]
CMD ["serve"]
