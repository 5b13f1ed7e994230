# The server as a container image: `docker build --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" --tag bucketlist .`
# `--target binary --output DIRECTORY` writes only the binary. It needs glibc 2.36 and OpenSSL 3: Debian 12, Ubuntu 24.04, RHEL 10 or later.
# SQLite needs a volume at /data. With PostgreSQL (DATABASE_URL), /data holds only files of mails and may be temporary.

# The version of rust-toolchain.toml. That file is not in the build context, because rustup would install its development tools.
FROM rust:1.95.0-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Versions are those of the base image's Debian release, which receives security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libssl-dev make perl pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
ARG COMMIT=unknown
ARG TARGETARCH
ENV BUCKETLIST_COMMIT=$COMMIT CARGO_INCREMENTAL=0
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,id=bucketlist-target-$TARGETARCH,sharing=locked \
    cargo build --release --locked --package bucketlist \
    && cp target/release/bucketlist /usr/local/bin/bucketlist

FROM scratch AS binary
COPY --from=build /usr/local/bin/bucketlist /bucketlist

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 bucketlist \
    && useradd --uid 10001 --gid bucketlist --home-dir /data --no-create-home --shell /usr/sbin/nologin bucketlist \
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
